import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { needPrivate } from '../../private-directory.ts';
import { ensureKeys, keyFiles } from './keys.ts';
import { HollowMachine } from './machine.ts';
import { type HollowServer, serveMachine } from './server.ts';

/** A machine of a lab, as the registry and the tests need it. */
export interface LabMachine {
  /** The machine id: 32 hex digits, the same for the same lab name and number. */
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: 'root';
  /** Path of the lab's throw-away private key. */
  readonly identity: string;
  readonly knownHosts: string;
  readonly hollow: true;
}

export interface HollowOptions {
  readonly machines: number;
  /** Folder for the throw-away key and known_hosts. */
  readonly stateDir: string;
  readonly name?: string;
  /** How long each simulated step takes, in milliseconds; 1 by default. */
  readonly delayMs?: number;
  readonly restartMs?: number;
  /** Called with what a person should know, such as a key that had to be made anew. */
  readonly report?: (line: string) => void;
}

export interface HollowLab {
  readonly machines: readonly LabMachine[];
  /** The simulations behind them, in the same order: fault switches, files, journal, `reboot()`. */
  readonly simulations: readonly HollowMachine[];
  readonly servers: readonly HollowServer[];
  close(): Promise<void>;
}

/** Opens N hollow machines in this process; `close()` ends them. The key pair in `stateDir` is made once and kept. */
export async function hollowUp(options: HollowOptions): Promise<HollowLab> {
  const { machines: count, stateDir, name = 'hollow', report = () => undefined, ...timing } = options;
  await needPrivate(stateDir);
  const identity = keyFiles(stateDir).login;
  const knownHosts = join(stateDir, 'known_hosts');
  const { login: authorised, host: hostKey } = await ensureKeys(stateDir, report);
  const simulations: HollowMachine[] = [];
  const servers: HollowServer[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.close()));
  };
  try {
    for (let index = 1; index <= count; index++) {
      const machine = new HollowMachine({ lab: name, index, ...timing });
      simulations.push(machine);
      servers.push(await serveMachine({ machine, hostKey, authorised }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const machines = simulations.map((machine, i): LabMachine => {
    const { id, hostname } = machine;
    const at = { address: '127.0.0.1', port: servers[i]!.port, user: 'root' } as const;
    return { id, name: hostname, ...at, identity, knownHosts, hollow: true };
  });
  const key = `${hostKey.type} ${hostKey.getPublicSSH().toString('base64')}`;
  await writeFile(knownHosts, machines.map(({ port }) => `[127.0.0.1]:${port} ${key}\n`).join(''), {
    mode: 0o600,
  });
  return { machines, simulations, servers, close };
}

/** Removes what `hollowUp` wrote. */
export async function forgetHollow(stateDir: string): Promise<void> {
  const { login, host } = keyFiles(stateDir);
  const files = [login, `${login}.pub`, host, `${host}.pub`, join(stateDir, 'known_hosts')];
  await Promise.all(files.map((file) => rm(file, { force: true })));
}
