import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ClusterError } from '../../error.ts';
import type { MachineTarget, SshOptions } from '../port.ts';
import { type AuthLog, agentSocket } from './auth.ts';
import { dial, jumpTarget, RefusedByServer } from './dial.ts';
import { type HostConfig, lookupHost } from './ssh-config.ts';
import { Ssh2Transport } from './ssh2-transport.ts';
import type { Transport } from './transport.ts';

const MOST_JUMPS = 8;

/**
 * Connects and logs in, by ssh2 in this process, or by the system's OpenSSH client where the client's configuration needs
 * what ssh2 lacks, or where that client may have what sshd asks for.
 * @param mostMs how long one step of it may take, where that is less than the settings say.
 */
export async function openTransport(
  target: MachineTarget,
  options: SshOptions,
  mostMs?: number,
): Promise<Transport> {
  if (needsClient(target, options)) return await byOpenssh(target, options, mostMs);
  try {
    return new Ssh2Transport(await dial(target, options, mostMs));
  } catch (error) {
    if (!(error instanceof RefusedByServer)) throw error;
    const config = lookupHost(target.address, options, target);
    if (options.transport === 'ssh2' || !mayKnowBetter(error.log, options, config)) throw error.error;
    return await byOpenssh(target, options).catch((second: unknown) => {
      // Without that client, what sshd said first is what there is to say.
      throw second instanceof ClusterError && second.code === 'ssh-client' ? error.error : second;
    });
  }
}

/** Whether the way to this machine, or to a jump machine before it, needs the system's OpenSSH client. */
export function needsClient(target: MachineTarget, options: SshOptions, depth = 0): boolean {
  if (options.transport === 'openssh') return true;
  if (options.transport === 'ssh2' || depth > MOST_JUMPS) return false;
  const config = lookupHost(target.address, options, target);
  if (config.opensshOnly.length > 0) return true;
  return config.proxyJump.some((hop) => {
    const jump = jumpTarget(hop, target, options);
    return jump.address !== target.address && needsClient(jump, options, depth + 1);
  });
}

/** Loaded only here: most runs need none of it. */
async function byOpenssh(target: MachineTarget, options: SshOptions, mostMs?: number): Promise<Transport> {
  const { dialOpenssh } = await import('./openssh/dial.ts');
  return await dialOpenssh(target, options, mostMs);
}

/** After a refusal: whether OpenSSH's client has a key, a ticket or a person that ssh2 does not have. */
function mayKnowBetter(log: AuthLog, options: SshOptions, config: HostConfig): boolean {
  const asks = options.askHostKey !== undefined;
  const wantsPerson = log.left.some((method) => method === 'keyboard-interactive' || method === 'password');
  if (asks && (wantsPerson || (log.locked.length > 0 && config.addKeysToAgent))) return true;
  if (config.gssapi && log.left.includes('gssapi-with-mic') && hasTicket()) return true;
  if (log.tooMany) return false;
  return (!config.identitiesOnly && hasHardwareKey()) || agentHasMore(config);
}

function hasTicket(): boolean {
  const cache = process.env.KRB5CCNAME?.replace(/^FILE:/, '');
  return cache !== undefined || existsSync(`/tmp/krb5cc_${process.getuid?.() ?? ''}`);
}

function hasHardwareKey(): boolean {
  return ['id_ed25519_sk', 'id_ecdsa_sk'].some((name) => {
    try {
      return readFileSync(join(homedir(), '.ssh', `${name}.pub`), 'utf8').startsWith('sk-');
    } catch {
      return false;
    }
  });
}

/** Certificates and hardware keys in an agent, which ssh2 passes over. */
function agentHasMore(config: HostConfig): boolean {
  const socket = agentSocket(config);
  if (socket === undefined) return false;
  const { stdout } = spawnSync('ssh-add', ['-L'], {
    encoding: 'utf8',
    timeout: 5000,
    env: { ...process.env, SSH_AUTH_SOCK: socket },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return /^(sk-\S+|\S+-cert-v01@openssh\.com) /m.test(stdout ?? '');
}
