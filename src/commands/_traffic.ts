import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { vctlArguments, withoutVulcan } from '../cli/vctl.ts';
import type { Session } from '../lib/control/session.ts';
import { ClusterError, EXIT } from '../lib/error.ts';
import { okLine } from '../lib/ui/traffic-change.ts';

/** Every flag has its environment variable. */
const variable = (name: string): string => `CLUSTER_${name.toUpperCase().replaceAll('-', '_')}`;

/** A flag with a text; Go durations are texts too. */
export const text = (
  name: string,
  description: string,
  more: { aliases?: string[]; char?: 'b' | 'f' | 's' } = {},
) => Flags.string({ description, env: variable(name), ...more });

export const count = (name: string, description: string, more: { aliases?: string[]; min?: number } = {}) =>
  Flags.integer({ description, env: variable(name), ...more });

/** A length of time that is always given, by default if by nobody. */
export const seconds = (name: string, description: string, usual: number, min = 0) =>
  Flags.integer({ description, env: variable(name), default: usual, min });

/** On, off (`--no-NAME`), or not said, and then as it is. */
export const toggle = (name: string, description: string) =>
  Flags.boolean({ description, env: variable(name), allowNo: true });

/** A flag that may be repeated. */
export const list = (name: string, description: string) =>
  Flags.string({ description, env: variable(name), multiple: true, multipleNonGreedy: true });

export const idFlag = { id: text('id', 'its id') };
export const backendFlag = { backend: text('backend', 'backend id', { char: 'b' }) };
export const frontendFlag = { frontend: text('frontend', 'frontend id', { char: 'f' }) };
export const ttlFlag = {
  ttl: text('ttl', 'it goes after so long unless it is said again, such as 11s; 0: never'),
};
export const idArgument = { id: Args.string({ description: 'its id, instead of --id' }) };

/** The id, said once. @throws `usage` where flag (or environment) and argument name two. */
export function oneId(flag: string | undefined, argument: string | undefined): string | undefined {
  if (flag === undefined || argument === undefined || flag === argument) return flag ?? argument;
  throw new ClusterError('usage', `two are named, ${JSON.stringify(flag)} and ${JSON.stringify(argument)}`, {
    hint: 'one at a time',
    exit: EXIT.usage,
  });
}

export const tlsFlags = {
  'tls-skip-verify': toggle('tls-skip-verify', 'insecure: do not check certificates'),
  'tls-prefer-server-cs': toggle('tls-prefer-server-cs', "prefer the server's cipher suites"),
  'tls-session-tickets-off': toggle('tls-session-tickets-off', 'no TLS session tickets'),
  'tls-min-v': text('tls-min-v', 'least TLS version, such as VersionTLS12'),
  'tls-max-v': text('tls-max-v', 'greatest TLS version'),
  'tls-session-cache': text('tls-session-cache', 'session cache: LRU'),
  'tls-session-cache-capacity': count('tls-session-cache-capacity', 'sessions in the cache'),
  'tls-cs': list('tls-cs', 'a cipher suite, may be repeated'),
};

export const keyPairFlags = {
  'private-key': text('private-key', 'file with the private key, PEM'),
  cert: text('cert', 'file with the certificate chain, PEM'),
  'seal-key': text('seal-key', 'key that seals what is stored: 64 hex digits'),
};

type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;
type CamelKeys<Flags> = { [Name in keyof Flags as Camel<Name & string>]: Flags[Name] };

/** Flags by the names that the verbs use: `read-timeout` as `readTimeout`. */
export function camelKeys<Flags extends object>(flags: Flags): CamelKeys<Flags> {
  const entries = Object.entries(flags).map(([name, value]) => [
    name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(entries) as CamelKeys<Flags>;
}

type Given = Record<string, unknown>;

/** What vctl's commands share: its way of writing flags, its success lines, its tables. */
export abstract class TrafficCommand extends ClusterCommand {
  protected override async init(): Promise<void> {
    await super.init();
    const argv = withoutVulcan(this.argv);
    if (argv.length < this.argv.length)
      process.stderr.write(
        'WARNING: --vulcan is passed over: cluster uses the registry itself (--endpoint)\n',
      );
    this.argv = vctlArguments(argv, { ...this.ctor.baseFlags, ...this.ctor.flags });
  }

  /** Reads and prints: a table, or the objects themselves with --json. */
  protected async look<Found>(
    flags: Given,
    read: (session: Session) => Promise<Found>,
    render: (found: Found) => string,
  ): Promise<void> {
    const found = await this.withSession(flags, read);
    if (flags.json === true) this.printJson(found);
    else this.print(render(found));
  }

  /** Changes something and prints vctl's line, or what stands there now with --json. */
  protected async change<Found>(
    flags: Given,
    work: (session: Session) => Promise<Found>,
    ok: string | ((found: Found) => string),
  ): Promise<void> {
    const found = await this.withSession(flags, work);
    const line = typeof ok === 'string' ? ok : ok(found);
    if (flags.json === true) this.printJson(found ?? { message: line });
    else this.print(okLine(line));
  }
}
