import { Command, Flags, type Interfaces } from '@oclif/core';
import { VERSION } from './cli/about.ts';
import { GLOBAL } from './cli/oclif.ts';
import { surroundings } from './cli/surroundings.ts';
import { camelKeys } from './flags.ts';
import { type Config, type ConfigFlags, loadConfig } from './lib/config/index.ts';
import type { Event } from './lib/control/event.ts';
import { Session, type SessionOptions } from './lib/control/session.ts';
import { sentences } from './lib/ui/events.ts';

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

  /** Runs `work` with a session that is closed afterwards, whatever happened. */
  protected async withSession<Value>(
    flags: Record<string, unknown>,
    work: (session: Session) => Promise<Value>,
  ): Promise<Value> {
    const config = await this.settings(flags);
    const json = flags.json === true;
    const session = new Session({
      config,
      emit: (event) => this.show(event, json),
      program: { entry: process.argv[1] ?? '', version: VERSION },
      ...(isTerminal(json) ? terminal() : {}),
    });
    try {
      return await work(session);
    } finally {
      await session.close();
    }
  }

  protected async settings(flags: Record<string, unknown>): Promise<Config> {
    const texts = Object.entries(flags).filter(([, value]) => typeof value === 'string');
    const values = camelKeys(Object.fromEntries(texts) as Record<string, string>);
    const typed: ConfigFlags = { ...values, keyPrefix: values.etcdKeyPrefix };
    const config = await loadConfig({ ...surroundings(), flags: typed });
    for (const notice of config.notices) process.stderr.write(`Note: ${notice}\n`);
    return config;
  }

  /** With --json, stdout belongs to the JSON alone. */
  protected show(event: Event, json: boolean): void {
    for (const { to, text } of sentences(event)) {
      if (to === 'stdout' && !json) this.print(`${text}\n`);
      else if (to === 'stderr') process.stderr.write(`${text}\n`);
    }
  }

  protected print(text: string): void {
    process.stdout.write(text);
  }

  /** A yes for this: given by `yes`, else asked for on a terminal; without one, no. */
  protected confirm(question: string, { yes, json }: { yes: boolean; json: boolean }): Promise<boolean> {
    if (yes || !isTerminal(json)) return Promise.resolve(yes);
    const answer = this.#asked.then(async () => (await import('./lib/ui/prompt.ts')).askYes(question));
    this.#asked = answer.catch(() => undefined);
    return answer;
  }

  protected printJson(value: unknown): void {
    this.print(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** Arguments come from the command line only: oclif would read a missing one from a pipe. */
  protected override parse<
    F extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    B extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    A extends Interfaces.OutputArgs<Interfaces.ArgInput>,
  >(options?: Interfaces.Input<F, B, A>, argv?: string[]): Promise<Interfaces.ParserOutput<F, B, A>> {
    for (const arg of Object.values<{ ignoreStdin?: boolean }>(options?.args ?? {})) arg.ignoreStdin = true;
    return super.parse(options, argv);
  }

  /** Errors are printed in one place, by the entry. */
  protected override catch(error: Error): Promise<never> {
    return Promise.reject(error);
  }
}

/** Whether somebody is there to answer a question. */
function isTerminal(json: boolean): boolean {
  return process.stdin.isTTY && process.stderr.isTTY && !json && !process.env.CI;
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
