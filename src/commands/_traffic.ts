import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { vctlArguments, withoutVulcan } from '../cli/vctl.ts';
import { count, list, text, toggle } from '../flags.ts';
import type { Session } from '../lib/control/session.ts';
import { ClusterError, EXIT } from '../lib/error.ts';
import { okLine } from '../lib/ui/traffic-change.ts';

export const idFlag = (kind: string) => ({ id: text('id', `${kind} id`) });
export const backendFlag = { backend: text('backend', 'backend id', { char: 'b' }) };
export const frontendFlag = { frontend: text('frontend', 'frontend id', { char: 'f' }) };
export const ttlFlag = {
  ttl: text('ttl', 'remove it after this long unless the command is run again, such as 11s; 0: never'),
};
export const idArgument = (kind: string) => ({
  id: Args.string({ description: `${kind} id, instead of --id` }),
});

/** The id, from flag, environment or argument. @throws ClusterError `usage` where they differ. */
export function oneId(flag: string | undefined, argument: string | undefined): string | undefined {
  if (flag === undefined || argument === undefined || flag === argument) return flag ?? argument;
  throw new ClusterError('usage', `two are given: ${JSON.stringify(flag)} and ${JSON.stringify(argument)}`, {
    hint: 'give only one',
    exit: EXIT.usage,
  });
}

export const tlsFlags = {
  'tls-skip-verify': toggle('tls-skip-verify', 'insecure: do not verify certificates'),
  'tls-prefer-server-cs': toggle('tls-prefer-server-cs', "prefer the server's cipher suites"),
  'tls-session-tickets-off': toggle('tls-session-tickets-off', 'disable TLS session tickets'),
  'tls-min-v': text('tls-min-v', 'lowest TLS version, such as VersionTLS12'),
  'tls-max-v': text('tls-max-v', 'highest TLS version'),
  'tls-session-cache': text('tls-session-cache', 'kind of session cache: LRU'),
  'tls-session-cache-capacity': count('tls-session-cache-capacity', 'how many sessions the cache holds'),
  'tls-cs': list('tls-cs', 'cipher suite; may be repeated'),
};

export const keyPairFlags = {
  'private-key': text('private-key', 'PEM file with the private key'),
  cert: text('cert', 'PEM file with the certificate chain'),
  'seal-key': text('seal-key', 'key to seal the key pair with: 64 hex digits'),
};

type Given = Record<string, unknown>;

/** What the commands known from vctl share: its spelling of flags, its success lines, its tables. */
export abstract class TrafficCommand extends ClusterCommand {
  protected override async init(): Promise<void> {
    await super.init();
    const argv = withoutVulcan(this.argv);
    if (argv.length < this.argv.length)
      this.tell('WARNING: --vulcan is ignored: cluster uses the registry itself (--endpoint)');
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

  /** Changes something and prints vctl's line, or with --json the object as it is now. */
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
