import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Machine } from '../../machine/index.ts';
import { type HealthCheck, healthCheckOf, parseUnitFile } from '../../unit/index.ts';
import { within } from '../../within.ts';

/** How long a check may take. */
const CHECK_MS = 3_000;

export interface Checked {
  readonly ok: boolean;
  readonly text: string;
}

/** The check that a unit's file asks for; null = none. */
export function checkOf(unit: string, text: string): HealthCheck | null {
  return text.includes('HealthCheck') ? healthCheckOf(unit, parseUnitFile(text)) : null;
}

/** Asks once, on the machine; an answer that takes too long is a bad one. */
export async function askCheck(machine: Machine, check: HealthCheck): Promise<Checked> {
  const late = { ok: false, text: `health check has not answered within ${CHECK_MS / 1000} s` };
  const asked = check.kind === 'http' ? askHttp(machine, check) : askCommand(machine, check.argv);
  return await within(CHECK_MS, asked.catch(failed), late);
}

function failed(error: unknown): Checked {
  const text = error instanceof Error ? error.message : String(error);
  return { ok: false, text: `health check fails: ${text}` };
}

async function askHttp(machine: Machine, { url }: Extract<HealthCheck, { kind: 'http' }>): Promise<Checked> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const stream = await machine.forward({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) });
  const timer = setTimeout(() => stream.destroy(new Error('no answer')), CHECK_MS);
  try {
    const status = await statusOf(stream, { host, path: pathname + search });
    return { ok: status >= 200 && status < 400, text: `health check answers ${status}` };
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

function statusOf(stream: Duplex, { host, path }: { host: string; path: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { path, headers: { host, connection: 'close' }, createConnection: () => stream as never };
    const asked = request(options, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.on('error', reject);
    asked.end();
  });
}

async function askCommand(machine: Machine, argv: readonly string[]): Promise<Checked> {
  const signal = AbortSignal.timeout(CHECK_MS);
  const { code, signal: ended } = await machine.exec(argv, { sudo: true, signal });
  if (code === 0) return { ok: true, text: 'health check succeeds' };
  return { ok: false, text: `health check ends with ${ended ?? `exit status ${code}`}` };
}
