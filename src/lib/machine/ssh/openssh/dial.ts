import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError } from '../../../error.ts';
import { needsOpenssh } from '../../errors.ts';
import type { MachineTarget, SshOptions } from '../../port.ts';
import { loginTimeout } from '../dial.ts';
import { inSeconds, keepAliveOf } from '../keep-alive.ts';
import { Limit } from '../limit.ts';
import { lookupHost } from '../ssh-config.ts';
import type { Transport } from '../transport.ts';
import { sharedLines } from '../trust.ts';
import { certificateProblem } from './certificate.ts';
import { masterArgs, ownConfig } from './config.ts';
import { loginError } from './log.ts';
import { makePlace, removePlace } from './place.ts';
import { OpenSshTransport } from './transport.ts';

const LINGER_SECONDS = 10;
/** Beyond the connection's own limit: for keys, agents and commands that ssh asks. */
const LOGIN_EXTRA_MS = 10_000;
/** A person at a terminal; sshd itself gives two minutes. */
const PERSON_MS = 150_000;

/** One question at a time: all processes share the terminal. */
const terminal = new Limit(1);

/** Logs in with the system's OpenSSH client, asking on the terminal only where there is one and it is needed. */
export async function dialOpenssh(
  target: MachineTarget,
  options: SshOptions,
  mostMs?: number,
): Promise<Transport> {
  try {
    return await attempt(target, options, false, mostMs);
  } catch (error) {
    if (!hasTerminal(options) || !(error instanceof ClusterError) || !isForPerson(error)) throw error;
    return await terminal.run(() => attempt(target, options, true));
  }
}

/** Whether there is a person to ask. */
export function hasTerminal(options: SshOptions): boolean {
  return options.askHostKey !== undefined;
}

function isForPerson({ code }: ClusterError): boolean {
  return code === 'machine-auth' || code === 'host-key-unknown';
}

async function attempt(
  target: MachineTarget,
  options: SshOptions,
  asks: boolean,
  mostMs?: number,
): Promise<Transport> {
  const host = lookupHost(target.address, options, target);
  const timeoutMs = loginTimeout(options, host, mostMs);
  const directory = makePlace();
  const at = (name: string) => join(directory, name);
  const shared = await sharedLines(target, options, host);
  if (shared !== '') writeFileSync(at('known'), shared, { mode: 0o600 });
  const ownAlive = options.goneAfterChosen === true || host.keepAliveMs === undefined;
  const config = ownConfig({
    target,
    options,
    connectSeconds: Math.max(1, Math.ceil(timeoutMs / 1000)),
    asks,
    ...(shared === '' ? {} : { sharedKeys: at('known') }),
    globalKeys: host.globalKnownHostsFiles ?? ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2'],
    acceptNew: host.acceptNew,
    keepAlive: ownAlive ? inSeconds(keepAliveOf(options, host)) : null,
  });
  writeFileSync(at('config'), config, { mode: 0o600 });
  const args = masterArgs({
    config: at('config'),
    control: at('control'),
    log: at('log'),
    target,
    lingerSeconds: LINGER_SECONDS,
  });

  const code = await runMaster(args, asks, asks ? PERSON_MS : timeoutMs + LOGIN_EXTRA_MS).catch(
    (error: unknown) => {
      removePlace(directory);
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      const reason = host.opensshOnly[0] ?? '--ssh-transport openssh';
      throw needsOpenssh({ ...target, command: host.command }, reason, false);
    },
  );
  if (code === 0) return new OpenSshTransport(directory, at('control'));

  const log = readLog(at('log'));
  removePlace(directory);
  const problem = certificateProblem(log, target.user);
  throw loginError(log, {
    where: { ...target, command: host.command },
    knownHosts: target.knownHosts ?? options.knownHosts ?? host.knownHostsFiles?.[0] ?? '~/.ssh/known_hosts',
    timeoutMs,
    ...(problem === null ? {} : { certificate: problem }),
  });
}

/** Processes that are logging in. Without its directory, one would stay for ever once it had logged in. */
const pending = new Set<ChildProcess>();

function killPending(): void {
  for (const child of pending) child.kill();
}

/** Resolves to ssh's exit code: 0 when it is logged in and went to the background. */
function runMaster(args: readonly string[], asks: boolean, limitMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('ssh', args, {
      stdio: asks ? ['inherit', 'ignore', 'inherit'] : 'ignore',
      detached: !asks,
    });
    const timer = setTimeout(() => child.kill(), limitMs);
    if (pending.size === 0) process.once('exit', killPending);
    pending.add(child);
    const end = () => {
      clearTimeout(timer);
      pending.delete(child);
      if (pending.size === 0) process.off('exit', killPending);
    };
    child.once('error', (error) => {
      end();
      reject(error);
    });
    child.once('exit', (code) => {
      end();
      resolve(code ?? 1);
    });
  });
}

function readLog(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
