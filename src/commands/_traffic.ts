import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { vctlArguments, withoutVulcan } from '../cli/vctl.ts';
import { count, list, text, toggle } from '../flags.ts';
import type { Event } from '../lib/control/event.ts';
import type { Session } from '../lib/control/session.ts';
import { waiterFor } from '../lib/control/traffic/wait.ts';
import type { Change } from '../lib/control/traffic/write.ts';
import { ClusterError, EXIT } from '../lib/error.ts';
import type { Teller } from '../lib/ui/teller.ts';
import { changeDocument, okLine, servedLine } from '../lib/ui/traffic-change.ts';

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

/** How long a command waits until gateways serve what it wrote. */
export const gatewayWaitFlags = {
  wait: Flags.boolean({
    description: 'return only when every gateway serves it (so anyway where gateways are registered)',
    env: 'CLUSTER_WAIT',
    allowNo: true,
  }),
  'wait-timeout': Flags.string({
    description: 'how long to wait for them',
    default: '10s',
    env: 'CLUSTER_WAIT_TIMEOUT',
  }),
};

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
type WaitGiven = { readonly wait: boolean | undefined; readonly 'wait-timeout': string };

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

  /** Changes one object, prints vctl's line, and returns when the gateways serve it. With --json: one document. */
  protected async change(
    flags: Given & WaitGiven,
    work: (session: Session) => Promise<Change>,
    ok: string,
  ): Promise<void> {
    const json = flags.json === true;
    const wait = waiterFor({ wait: flags.wait, waitTimeout: flags['wait-timeout'] });
    await this.withSession(flags, async (session) => {
      const change = await work(session);
      if (!json) this.print(okLine(ok));
      // What was there, or was not, is served already, or never will be.
      const served = change.changed ? await wait(session, change.revision) : null;
      if (json) this.printJson(changeDocument(change, served, this.notes));
      else if (served !== null) this.print(servedLine(served));
    });
  }

  /** Warnings of this run so far, for the document that --json prints. */
  protected readonly notes: string[] = [];

  protected override show(event: Event, teller: Teller): void {
    if (event.kind === 'warning') this.notes.push(event.message);
    if (event.kind === 'problem') this.notes.push(`${event.key}: ${event.message}`);
    super.show(event, teller);
  }
}
