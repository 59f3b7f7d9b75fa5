import {
  AuthClient,
  ClusterClient,
  Etcd3,
  EtcdInvalidAuthTokenError,
  type ICallable,
  type IOptions,
  KVClient,
  LeaseClient,
  WatchClient,
} from 'etcd3';
import type { ClusterError } from '../error.ts';
import { etcdError, isPassing, isSilent, isUnsent, unreachable } from './etcd-errors.ts';
import { EtcdGuard } from './etcd-guard.ts';
import { firstToAnswer, firstToSucceed } from './first.ts';

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;
type Metadata = Parameters<Parameters<ICallable<unknown>['withConnection']>[1]>[0]['metadata'];

export interface EtcdOptions {
  readonly timeoutMs: number;
  readonly user?: string;
  readonly password?: string;
}

/** One etcd server and what we call it. */
export interface Endpoint {
  /** As the user wrote it, for messages. */
  readonly name: string;
  /** The host:port that is dialled. */
  readonly address: string;
  /** Name in the server's certificate when it is not that of `address`. */
  readonly serverName?: string;
  readonly credentials?: { rootCertificate?: Buffer; privateKey?: Buffer; certChain?: Buffer };
}

/** Cockatiel's no-op: runs the call, no retry, no breaker. The package itself is not ours to import. */
const plain = { execute: (fn: (context: unknown) => unknown) => Promise.resolve().then(() => fn({})) };

class Pooled extends Etcd3 {
  get callable(): ICallable<unknown> {
    return this.pool;
  }
}

/** etcd3's calls with our own rules in place of its: a login we control, a deadline on all but streams, no hidden retry. */
class Connection implements ICallable<unknown> {
  readonly callOptionsFactory = undefined;
  readonly name: string;
  /** The host:port that is dialled. */
  readonly address: string;
  readonly #etcd: Pooled;
  readonly #options: EtcdOptions;
  #token: Promise<string> | undefined;

  constructor(endpoint: Endpoint, options: EtcdOptions) {
    this.name = endpoint.name;
    this.address = endpoint.address;
    this.#options = options;
    const policy = plain as unknown as Policy;
    this.#etcd = new Pooled({
      hosts: `${endpoint.credentials ? 'https' : 'http'}://${endpoint.address}`,
      ...(endpoint.credentials && {
        credentials: endpoint.credentials as NonNullable<IOptions['credentials']>,
      }),
      faultHandling: { host: () => policy, global: policy },
      grpcOptions: {
        'grpc.max_receive_message_length': 64 * 1024 * 1024,
        'grpc.max_send_message_length': -1,
        // Else a refused connection is not tried again for up to two minutes, even by a new client in this process.
        'grpc.use_local_subchannel_pool': 1,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1000,
        // Detects a watch whose server went away silently.
        'grpc.keepalive_time_ms': 10_000,
        'grpc.keepalive_timeout_ms': Math.max(1000, options.timeoutMs),
        ...(endpoint.serverName && { 'grpc.ssl_target_name_override': endpoint.serverName }),
      },
    });
  }

  close(): void {
    this.#etcd.close();
  }

  markFailed(resource: unknown, error: Error): void {
    this.#etcd.callable.markFailed(resource, error);
  }

  async exec<T>(
    service: Parameters<ICallable<unknown>['exec']>[0],
    method: string,
    payload: unknown,
  ): Promise<T> {
    try {
      return await this.#once<T>(service, method, payload);
    } catch (error) {
      if (!(error instanceof EtcdInvalidAuthTokenError) || service === 'Auth') throw error;
      // Simple tokens end after five minutes or with the server; the request was refused, so it may be repeated.
      this.#token = undefined;
      return this.#once<T>(service, method, payload);
    }
  }

  async withConnection<R>(
    service: Parameters<ICallable<unknown>['withConnection']>[0],
    fn: Parameters<ICallable<unknown>['withConnection']>[1],
  ): Promise<R> {
    const token = service === 'Auth' ? undefined : await this.#login();
    const run = (args: { resource: unknown; client: never; metadata: Metadata }): unknown => {
      if (token !== undefined) args.metadata.set('token', token);
      // A member cut off from the others ends the stream instead of staying silent.
      if (service === 'Watch') args.metadata.set('hasleader', 'true');
      return fn(args);
    };
    return (await this.#etcd.callable.withConnection(service, run as typeof fn)) as R;
  }

  #once<T>(service: Parameters<ICallable<unknown>['exec']>[0], method: string, payload: unknown): Promise<T> {
    return this.withConnection<T>(service, ({ client, metadata }) => {
      type Call = (payload: unknown, metadata: Metadata, options: object, done: Done) => void;
      type Done = (error: Error | null, response: T) => void;
      const calls = client as unknown as Record<string, Call>;
      // gRPC turns the time of day into a duration at once.
      const options = { deadline: Date.now() + this.#options.timeoutMs };
      return new Promise<T>((resolve, reject) => {
        calls[method]!(payload, metadata, options, (error, response) =>
          error ? reject(error) : resolve(response),
        );
      });
    });
  }

  async #login(): Promise<string | undefined> {
    const { user, password = '' } = this.#options;
    if (user === undefined) return undefined;
    this.#token ??= new AuthClient(this).authenticate({ name: user, password }).then(({ token }) => token);
    try {
      return await this.#token;
    } catch (error) {
      this.#token = undefined;
      throw error;
    }
  }

  forget(): void {
    this.#token = undefined;
  }

  /** Whether the server answers and has a leader; a refusal is an answer. Takes at most the request timeout. */
  async answers(): Promise<boolean> {
    try {
      await new KVClient(this).range({ key: Buffer.from([0]), limit: 1, keys_only: true });
      return true;
    } catch (error) {
      return !isUnsent(error) && !isSilent(error) && !isPassing(error);
    }
  }
}

/** A watch stream and the endpoint that it is on. */
export interface WatchStream {
  readonly stream: Awaited<ReturnType<WatchClient['watch']>>;
  readonly endpoint: Connection;
  /** Stops watching over the endpoint. */
  readonly release: () => void;
}

/** Every endpoint, one of them in use. Moves on to the next when the one in use cannot be reached. */
export class EtcdClient {
  readonly #connections: readonly Connection[];
  readonly timeoutMs: number;
  readonly #guards: readonly EtcdGuard[];
  #current = 0;
  #chosen: Promise<void> | undefined;
  /** An endpoint failed under a request or a stream, so that an open port is no proof any more. */
  #hasFailed = false;

  constructor(endpoints: readonly Endpoint[], options: EtcdOptions) {
    this.#connections = endpoints.map((endpoint) => new Connection(endpoint, options));
    this.timeoutMs = options.timeoutMs;
    const all = this.#connections;
    this.#guards = all.map((one, index) => new EtcdGuard(one, all[(index + 1) % all.length]!));
  }

  kv<T>(call: (kv: KVClient) => Promise<T>, kind: 'read' | 'write'): Promise<T> {
    return this.#try((connection) => call(new KVClient(connection)), kind);
  }

  cluster<T>(call: (cluster: ClusterClient) => Promise<T>): Promise<T> {
    return this.#try((connection) => call(new ClusterClient(connection)), 'read');
  }

  lease<T>(call: (lease: LeaseClient) => Promise<T>): Promise<T> {
    return this.#try((connection) => call(new LeaseClient(connection)), 'write');
  }

  /**
   * A stream on an endpoint that answers. With several endpoints it is cancelled a few seconds after its own stopped
   * answering.
   */
  async watchStream(): Promise<WatchStream> {
    await this.#choose();
    const endpoint = this.#connection();
    const stream = await new WatchClient(endpoint).watch();
    const guard =
      this.#connections.length > 1 ? this.#guards[this.#connections.indexOf(endpoint)] : undefined;
    const release = guard?.watch(() => stream.cancel()) ?? (() => undefined);
    return { stream, endpoint, release };
  }

  /** After a stream broke: a new login, and another endpoint if there is one. */
  streamFailed(endpoint: Connection): void {
    endpoint.forget();
    this.#moveOn(endpoint);
  }

  error(error: unknown, endpoint: Connection = this.#connection()): ClusterError {
    return etcdError(error, endpoint.name, this.timeoutMs);
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  /**
   * One that can be reached at all: what is sent to a machine that is cut off would wait for its whole time, in every
   * command anew. After a failure, one that answers: the port of a process that hangs is open.
   */
  #choose(): Promise<void> {
    if (this.#connections.length === 1) return Promise.resolve();
    this.#chosen ??= this.#find();
    return this.#chosen;
  }

  async #find(): Promise<void> {
    const from = this.#current % this.#connections.length;
    const order = [...this.#connections.slice(from), ...this.#connections.slice(0, from)];
    const answering = this.#hasFailed ? await firstToSucceed(order.map((one) => () => one.answers())) : null;
    const addresses = order.map(({ address }) => address);
    const found = answering ?? (await firstToAnswer(addresses, this.timeoutMs));
    if (found !== null) this.#current = from + found;
    else {
      this.#chosen = undefined;
      throw unreachable(order.map(({ name }) => name).join(', '));
    }
  }

  /** Requests and streams that fail together on one endpoint leave it once: the next one has done nothing wrong. */
  #moveOn(failed: Connection): void {
    if (failed !== this.#connection()) return;
    this.#current++;
    this.#chosen = undefined;
    this.#hasFailed = true;
  }

  /** Each endpoint once while a request surely was not sent; a read once more when a connection broke under it. */
  async #try<T>(call: (connection: Connection) => Promise<T>, kind: 'read' | 'write'): Promise<T> {
    const started = performance.now();
    let unsent = 0;
    let again = kind === 'read' ? 1 : 0;
    for (;;) {
      await this.#choose();
      const connection = this.#connection();
      try {
        return await call(connection);
      } catch (error) {
        const failure = etcdError(error, connection.name, this.timeoutMs);
        const passing = isPassing(error) || (isSilent(error) && this.#connections.length > 1);
        const next = isUnsent(error) ? ++unsent < this.#connections.length : passing && again-- > 0;
        if (isUnsent(error) || passing) this.#moveOn(connection);
        if (!next || performance.now() - started >= this.timeoutMs * this.#connections.length) throw failure;
      }
    }
  }

  #connection(): Connection {
    return this.#connections[this.#current % this.#connections.length]!;
  }
}
