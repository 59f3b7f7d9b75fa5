import { readFileSync } from 'node:fs';
import type { AnyAuthMethod, ParsedKey } from 'ssh2';
import type { MachineTarget, SshOptions } from '../port.ts';
import { chooseKeys } from './agent.ts';
import { type HostConfig, usualKeyFiles } from './ssh-config.ts';

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

  /** The public half of a key file, from the `.pub` beside it, the file itself, or an unlocked private key. */
  async publicKey(file: string): Promise<Buffer | null> {
    for (const path of [`${file}.pub`, file]) {
      const key = this.#parseFile(path);
      if (key !== null && !(key instanceof Error)) return key.getPublicSSH();
    }
    return null;
  }

  #parseFile(file: string, passphrase?: string): ParsedKey | Error | null {
    let data: Buffer;
    try {
      data = readFileSync(file);
    } catch {
      return null;
    }
    const result = this.#parse(data, passphrase);
    return Array.isArray(result) ? (result[0] ?? null) : result;
  }

  #read(file: string, passphrase?: string): ParsedKey | 'locked' | null {
    const key = this.#parseFile(file, passphrase);
    if (key instanceof Error)
      return /passphrase|encrypted|integrity|decrypt/i.test(key.message) ? 'locked' : null;
    return key?.isPrivateKey() ? key : null;
  }
}

/** What happened at a login, for the message when it was refused and for what to try next. */
export interface AuthLog {
  readonly tried: string[];
  readonly locked: string[];
  /** Methods that sshd would still take, by its last answer. */
  left: readonly string[];
  /** A method was accepted, and sshd wants another one too. */
  partial: boolean;
  tooMany: boolean;
}

/**
 * The order of OpenSSH, but for the first: keys named for this machine or this run that need no passphrase (an agent
 * full of other keys would use up the server's six tries), the agent's keys that the configuration names, its others
 * unless IdentitiesOnly, then the other files, then those that need a passphrase. No key is offered twice.
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
  const configured = [...named, ...config.identityFiles];
  const usual = config.identitiesOnly && configured.length > 0 ? [] : usualKeyFiles();
  const files = [...new Set([...configured, ...usual])];
  const locked: string[] = [];
  const offered: Buffer[] = [];
  const isOffered = (key: Buffer) => offered.some((one) => one.equals(key));
  const offer = function* (file: string, key: ParsedKey): Generator<AnyAuthMethod> {
    const half = key.getPublicSSH();
    if (isOffered(half)) return;
    offered.push(half);
    log.tried.push(file);
    yield { type: 'publickey', username, key };
  };
  for (const file of files.filter((one) => named.includes(one))) {
    const key = await ring.open(file);
    if (key === 'locked') locked.push(file);
    else if (key) yield* offer(file, key);
    else if ((await ring.publicKey(file)) === null) log.tried.push(`${file}, which is no private key`);
  }

  const socket = agentSocket(config);
  if (socket !== undefined) {
    const halves = await Promise.all(
      (config.identitiesOnly ? files : configured).map((file) => ring.publicKey(file)),
    );
    const preferred = halves.filter((half) => half !== null);
    const chosen = await chooseKeys(socket, preferred, config.identitiesOnly, isOffered);
    if (chosen !== null && chosen.count > 0) {
      log.tried.push(chosen.count === 1 ? 'ssh-agent' : `${chosen.count} keys of ssh-agent`);
      offered.push(...chosen.keys);
      yield { type: 'agent', username, agent: chosen.agent };
    }
  }

  for (const file of files.filter((one) => !named.includes(one))) {
    const key = await ring.open(file);
    if (key === 'locked') locked.push(file);
    else if (key) yield* offer(file, key);
  }
  for (const file of locked) {
    const half = await ring.publicKey(file);
    if (half !== null && isOffered(half)) continue;
    const key = await ring.unlock(file);
    if (key === 'locked') log.locked.push(file);
    else if (key) yield* offer(file, key);
  }
}

/** The agent to ask for this host, if there is one. */
export function agentSocket(config: Pick<HostConfig, 'identityAgent'>): string | undefined {
  if (config.identityAgent === null) return undefined;
  return config.identityAgent ?? (process.env.SSH_AUTH_SOCK || undefined);
}
