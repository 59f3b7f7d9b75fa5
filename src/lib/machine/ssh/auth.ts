import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { AnyAuthMethod, ParsedKey } from 'ssh2';
import type { MachineTarget, SshOptions } from '../port.ts';
import type { HostConfig } from './ssh-config.ts';

const DEFAULT_FILES = ['id_ed25519', 'id_ecdsa', 'id_rsa'];
const PASSPHRASE_TRIES = 3;

type ParseKey = (data: Buffer, passphrase?: string) => ParsedKey | ParsedKey[] | Error;

/** Private keys of one run: each file is read once and its passphrase asked for once, for all machines. */
export class KeyRing {
  readonly #opened = new Map<string, Promise<ParsedKey | 'locked' | null>>();
  #asking: Promise<unknown> = Promise.resolve();
  readonly #parse: ParseKey;
  readonly #ask: SshOptions['askPassphrase'];

  constructor(parse: ParseKey, ask: SshOptions['askPassphrase']) {
    this.#parse = parse;
    this.#ask = ask;
  }

  /** The key if it needs no passphrase, or one was already given; `locked` if it needs one; null if it is no key. */
  open(file: string): Promise<ParsedKey | 'locked' | null> {
    const known = this.#opened.get(file);
    if (known) return known;
    const key = Promise.resolve(this.#read(file));
    this.#opened.set(file, key);
    return key;
  }

  /** The same, asking for the passphrase where there is somebody to ask; one question at a time. */
  async unlock(file: string): Promise<ParsedKey | 'locked' | null> {
    const key = await this.open(file);
    const ask = this.#ask;
    if (key !== 'locked' || !ask) return key;
    const answer = this.#asking.then(async () => {
      const meanwhile = await this.open(file);
      if (meanwhile !== 'locked') return meanwhile;
      for (let tries = 0; tries < PASSPHRASE_TRIES; tries++) {
        const opened = this.#read(file, await ask(file));
        if (opened === 'locked') continue;
        this.#opened.set(file, Promise.resolve(opened));
        return opened;
      }
      return 'locked' as const;
    });
    this.#asking = answer.catch(() => undefined);
    return answer;
  }

  #read(file: string, passphrase?: string): ParsedKey | 'locked' | null {
    let data: Buffer;
    try {
      data = readFileSync(file);
    } catch {
      return null;
    }
    const result = this.#parse(data, passphrase);
    if (result instanceof Error)
      return /passphrase|encrypted|integrity|decrypt/i.test(result.message) ? 'locked' : null;
    const key = Array.isArray(result) ? result[0] : result;
    return key?.isPrivateKey() ? key : null;
  }
}

/** What was tried at a login, for the message when nothing was accepted. */
export interface AuthLog {
  readonly tried: string[];
  readonly locked: string[];
}

/**
 * The order: keys named for this machine or this run that need no passphrase (an agent full of other keys would use
 * up the server's six tries first), the agent, then all other files, then those that need a passphrase.
 */
export async function* authMethods(
  target: MachineTarget,
  options: SshOptions,
  config: HostConfig,
  ring: KeyRing,
  log: AuthLog,
): AsyncGenerator<AnyAuthMethod, void> {
  const username = target.user;
  const named = [target.identity, options.identity].filter((file) => file !== undefined);
  const usual = DEFAULT_FILES.map((file) => join(homedir(), '.ssh', file));
  const files = [...new Set([...named, ...config.identityFiles, ...usual])];
  const locked: string[] = [];
  const offer = function* (file: string, key: ParsedKey): Generator<AnyAuthMethod> {
    log.tried.push(file);
    yield { type: 'publickey', username, key };
  };
  for (const file of files.filter((one) => named.includes(one))) {
    const key = await ring.open(file);
    if (key === 'locked') locked.push(file);
    else if (key) yield* offer(file, key);
    else log.tried.push(`${file}, which is no private key`);
  }
  const agent = agentSocket();
  if (agent) {
    log.tried.push('ssh-agent');
    yield { type: 'agent', username, agent };
  }
  for (const file of files.filter((one) => !named.includes(one))) {
    const key = await ring.open(file);
    if (key === 'locked') locked.push(file);
    else if (key) yield* offer(file, key);
  }
  for (const file of locked) {
    const key = await ring.unlock(file);
    if (key === 'locked') log.locked.push(file);
    else if (key) yield* offer(file, key);
  }
}

/** The user's ssh-agent, if one runs. */
export function agentSocket(): string | undefined {
  return process.env.SSH_AUTH_SOCK || undefined;
}
