/**
 * HAProxy as a running process: start, adopt, reload, change at run time. It must not decide what is served.
 */
import { createServer } from 'node:net';
import { ClusterError } from '../../../error.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

/** TCP addresses that a configuration listens on. */
export function bindAddresses(structure: string): Address[] {
  return [...structure.matchAll(/^\s*bind (\[[^\]]*\]|[\d.*]*):(\d+)(?=\s|$)/gm)].map(
    ([, host = '', port]) => ({
      host: host.replace(/^\[|\]$/g, ''),
      port: Number(port),
    }),
  );
}

/**
 * Tries to listen on the addresses that are new. HAProxy would find out only in a reload, and while it retries there it
 * keeps its old listeners closed for seconds. Ports that HAProxy already has are not tried.
 * @param before null = not known; then nothing is tried.
 * @throws ClusterError `haproxy-reload` for an address that cannot be used.
 */
export async function checkAddresses(structure: string, before: string | null): Promise<void> {
  if (before === null) return;
  const present = new Set(bindAddresses(before).map(({ port }) => port));
  for (const { host, port } of bindAddresses(structure)) {
    if (present.has(port)) continue;
    const code = await tryAddress(host === '*' ? '' : host, port);
    if (code === null) continue;
    throw new ClusterError('haproxy-reload', `cannot listen on ${host}:${port}: ${code}`, {
      hint: `what was served before is still served; ss -ltnp 'sport = :${port}' shows who has it`,
    });
  }
}

function tryAddress(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    const done = (): void => void server.close(() => resolve(null));
    if (host === '') server.listen(port, done);
    else server.listen(port, host, done);
  });
}
