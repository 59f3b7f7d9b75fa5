import { Command, Flags, type Interfaces } from '@oclif/core';
import { VERSION } from './cli/about.ts';
import { GLOBAL } from './cli/oclif.ts';
import { surroundings } from './cli/surroundings.ts';
import { camelKeys } from './flags.ts';
import { type Config, type ConfigFlags, loadConfig } from './lib/config/index.ts';
import type { Event } from './lib/control/event.ts';
import { commandLine, operator } from './lib/control/operator.ts';
import { Session, type SessionOptions } from './lib/control/session.ts';
import { printable, printableInColour, printableJson, printableLines } from './lib/printable.ts';
import { Progress } from './lib/ui/progress.ts';
import { Teller } from './lib/ui/teller.ts';

const helpGroup = GLOBAL;
const text = (description: string, env: string) => Flags.string({ description, env, helpGroup });

/** Flags that every command has; each also comes from its environment variable and, mostly, from cluster.yaml. */
const globalFlags = {
  endpoint: text(
    'etcd endpoints, comma-separated; without any, the embedded store is used',
    'CLUSTER_ENDPOINT',
  ),
  'data-dir': text('directory of the embedded store', 'CLUSTER_DATA_DIR'),
  tunnel: text('reach etcd through this machine: [user@]address[:port]', 'CLUSTER_TUNNEL'),
  'ca-file': text('CA certificate of the etcd servers', 'CLUSTER_CA_FILE'),
  'cert-file': text('client certificate for etcd', 'CLUSTER_CERT_FILE'),
  'key-file': text('private key of the client certificate', 'CLUSTER_KEY_FILE'),
  'etcd-user': text('etcd user', 'CLUSTER_ETCD_USER'),
  'etcd-password': text('etcd password', 'CLUSTER_ETCD_PASSWORD'),
  'etcd-key-prefix': text('key prefix in the store', 'CLUSTER_KEY_PREFIX'),
  'traffic-key-prefix': text(
    'key prefix of frontends, backends and all other traffic settings',
    'CLUSTER_TRAFFIC_PREFIX',
  ),
  'request-timeout': text('how long a request to the store may take, such as 3s', 'CLUSTER_REQUEST_TIMEOUT'),
  'ssh-username': text('user to log in as on machines added without one', 'CLUSTER_SSH_USERNAME'),
  'ssh-identity': text('private key file', 'CLUSTER_SSH_IDENTITY'),
  'ssh-timeout': text('how long connecting to a machine may take, such as 10s', 'CLUSTER_SSH_TIMEOUT'),
  'gone-after': text(
    'how long a machine may be silent on an open connection before it counts as gone, such as 10s',
    'CLUSTER_GONE_AFTER',
  ),
  'ssh-persist': text(
    'how long to keep unused connections open for later commands, such as 60s; 0: not at all',
    'CLUSTER_SSH_PERSIST',
  ),
  'ssh-config': text('OpenSSH client configuration file', 'CLUSTER_SSH_CONFIG'),
  'ssh-transport': text(
    'ssh2, openssh (the ssh program of this computer), or auto, which chooses',
    'CLUSTER_SSH_TRANSPORT',
  ),
  'ssh-parallel': text('how many connections to open at the same time', 'CLUSTER_SSH_PARALLEL'),
  'known-hosts-file': text('known_hosts file that host keys are checked against', 'CLUSTER_KNOWN_HOSTS_FILE'),
  'strict-host-key-checking': text(
    'yes, or accept-new to remember unknown host keys',
    'CLUSTER_STRICT_HOST_KEY_CHECKING',
  ),
  message: text('why you change something, for history and events', 'CLUSTER_MESSAGE'),
  debug: Flags.boolean({ description: 'show where an error comes from', env: 'CLUSTER_DEBUG', helpGroup }),
  json: Flags.boolean({ description: 'print JSON', env: 'CLUSTER_JSON', helpGroup }),
};

/** What all commands share: global flags, the session, and how results are printed. */
export abstract class ClusterCommand extends Command {
  static override baseFlags = globalFlags;
  /** oclif's own --json has another format for errors. */
  static override enableJsonFlag = false;
  /** Questions come one after another. */
  #asked: Promise<unknown> = Promise.resolve();
  readonly #events: Event[] = [];
  #json = false;
  #printed = false;

  /** Runs `work` with a session that is closed afterwards, whatever happened. `looks`: see the session's option. */
  protected async withSession<Value>(
    flags: Record<string, unknown>,
    work: (session: Session) => Promise<Value>,
    { looks = false }: Pick<SessionOptions, 'looks'> = {},
  ): Promise<Value> {
    const config = await this.settings(flags);
    const json = flags.json === true;
    const teller = new Teller(new Progress(process.stderr), ({ to, text }) => {
      // With --json, stdout belongs to the JSON alone.
      if (to === 'stderr') this.tell(text);
      else if (!json) this.print(`${text}\n`);
    });
    const session = new Session({
      config,
      emit: (event) => {
        if (event.kind !== 'pending' && event.kind !== 'rollout-waiting') this.#events.push(event);
        this.show(event, teller);
      },
      program: { entry: process.argv[1] ?? '', version: VERSION },
      looks,
      author: {
        who: operator(),
        command: commandLine(this.config.bin, process.argv.slice(2)),
        ...(typeof flags.message === 'string' && flags.message !== '' && { message: flags.message }),
      },
      ...(this.onTerminal(json) ? terminal() : {}),
    });
    try {
      return await work(session);
    } finally {
      teller.end();
      await session.close();
    }
  }

  /** Whether there is a person to ask. */
  protected onTerminal(json: boolean): boolean {
    return process.stdin.isTTY && process.stderr.isTTY && !json && !process.env.CI;
  }

  protected async settings(flags: Record<string, unknown>): Promise<Config> {
    const texts = Object.entries(flags).filter(([, value]) => typeof value === 'string');
    const values = camelKeys(Object.fromEntries(texts) as Record<string, string>);
    const typed: ConfigFlags = { ...values, keyPrefix: values.etcdKeyPrefix };
    const config = await loadConfig({ ...surroundings(), flags: typed });
    for (const notice of config.notices) this.tell(`Note: ${notice}`);
    return config;
  }

  protected show(event: Event, teller: Teller): void {
    teller.tell(event);
  }

  /** What is not ours in `text` is harmless afterwards, whoever forgot; line ends, tabs and our colours stay. */
  protected print(text: string): void {
    const inColour = process.stdout.isTTY || Boolean(process.env.FORCE_COLOR);
    this.printRaw(inColour ? printableInColour(text) : printableLines(text));
  }

  /** For terminal sequences of our own, and for what is passed through byte for byte. */
  protected printRaw(text: string): void {
    process.stdout.write(text);
  }

  /** A yes for this: given by `yes`, else asked for on a terminal; without one, no. */
  protected confirm(question: string, { yes, json }: { yes: boolean; json: boolean }): Promise<boolean> {
    if (yes || !this.onTerminal(json)) return Promise.resolve(yes);
    const answer = this.#asked.then(async () =>
      (await import('./lib/ui/prompt.ts')).askYes(`${question} (yes/no)? `),
    );
    this.#asked = answer.catch(() => undefined);
    return answer;
  }

  /** With --json a command that changes something prints one document, if only of what happened. */
  protected override async finally(failure: Error | undefined): Promise<void> {
    const { changes } = this.constructor as typeof ClusterCommand & { readonly changes?: string };
    if (failure === undefined && this.#json && !this.#printed && changes !== 'nothing')
      this.printJson({ events: this.#events });
  }

  protected printJson(value: unknown, indent = 2): void {
    this.#printed = true;
    this.printRaw(`${printableJson(JSON.stringify(value, null, indent))}\n`);
  }

  /** One line on standard error: progress, notes and warnings. */
  protected tell(line: string): void {
    process.stderr.write(`${printable(line)}\n`);
  }

  /** Arguments come from the command line only: oclif would read a missing one from a pipe. */
  protected override async parse<
    F extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    B extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    A extends Interfaces.OutputArgs<Interfaces.ArgInput>,
  >(options?: Interfaces.Input<F, B, A>, argv?: string[]): Promise<Interfaces.ParserOutput<F, B, A>> {
    for (const arg of Object.values<{ ignoreStdin?: boolean }>(options?.args ?? {})) arg.ignoreStdin = true;
    const parsed = await super.parse<F, B, A>(options, argv);
    this.#json = (parsed.flags as { readonly json?: boolean }).json === true;
    return parsed;
  }

  /** Errors are printed in one place, by the entry. */
  protected override catch(error: Error): Promise<never> {
    return Promise.reject(error);
  }
}

/** Questions on the terminal, one at a time. */
function terminal(): Required<Pick<SessionOptions, 'askPassphrase' | 'askHostKey'>> {
  let last: Promise<unknown> = Promise.resolve();
  const next = <Answer>(
    ask: (prompt: typeof import('./lib/ui/prompt.ts')) => Promise<Answer>,
  ): Promise<Answer> => {
    const answer = last.then(async () => ask(await import('./lib/ui/prompt.ts')));
    last = answer.catch(() => undefined);
    return answer;
  };
  return {
    askPassphrase: (keyFile) => next((prompt) => prompt.askHidden(`Enter passphrase for key '${keyFile}': `)),
    askHostKey: (key) => next((prompt) => prompt.askHostKey(key)),
  };
}
