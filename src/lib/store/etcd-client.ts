import type { ClusterError } from '../error.ts';
import { etcdError, isPassing, isSilent, isStaleLogin, isUnsent, unreachable } from './etcd-errors.ts';
import { EtcdGuard } from './etcd-guard.ts';
import {
  authenticateRequest,
  authenticateResponse,
  type RangeResponse,
  rangeRequest,
  rangeResponse,
} from './etcd-messages.ts';
import { firstToAnswer, firstToSucceed } from './first.ts';
import { GrpcChannel, type GrpcServer, type GrpcStream, type Metadata } from './grpc.ts';

export interface EtcdOptions {
  readonly timeoutMs: number;
  readonly user?: string;
  readonly password?: string;
}

/** One etcd server and what we call it. */
export interface Endpoint extends Omit<GrpcServer, 'silenceMs'> {
  /** As the user wrote it, for messages. */
  readonly name: string;
}

/** A method of etcd's API, and how its messages are written and read. */
export interface Method<Response> {
  readonly path: string;
  /** A read may be asked again. */
  readonly kind: 'read' | 'write';
  readonly read: (message: Uint8Array) => Response;
}

export const RANGE: Method<RangeResponse> = { path: 'KV/Range', kind: 'read', read: rangeResponse };

/** One server: a login, and a deadline on all calls. */
class Connection {
  readonly name: string;
  /** The host:port that is dialled. */
  readonly address: string;
  readonly #channel: GrpcChannel;
  readonly #options: EtcdOptions;
  #token: Promise<string> | undefined;

  constructor({ name, ...server }: Endpoint, options: EtcdOptions) {
    this.name = name;
    this.address = server.address;
    this.#options = options;
    this.#channel = new GrpcChannel({ ...server, silenceMs: Math.max(1000, options.timeoutMs) });
  }

  close(): void {
    this.#channel.close();
  }

  async call(path: string, message: Uint8Array): Promise<Buffer> {
    try {
      return await this.#once(path, message, await this.#login());
    } catch (error) {
      if (!isStaleLogin(error)) throw error;
      // Simple tokens end after five minutes or with the server; the request was refused, so it may be repeated.
      this.forget();
      return await this.#once(path, message, await this.#login());
    }
  }

  async watch(): Promise<GrpcStream> {
    // A member cut off from the others ends the stream instead of staying silent.
    const metadata = { ...(await this.#login()), hasleader: 'true' };
    return await this.#channel.stream('Watch/Watch', { metadata, deadlineMs: this.#options.timeoutMs });
  }

  forget(): void {
    this.#token = undefined;
  }

  /** Whether the server answers and has a leader; a refusal is an answer. Takes at most the request timeout. */
  async answers(): Promise<boolean> {
    try {
      await this.call(RANGE.path, rangeRequest({ key: Buffer.from([0]), limit: 1 }));
      return true;
    } catch (error) {
      return !isUnsent(error) && !isSilent(error) && !isPassing(error);
    }
  }

  #once(path: string, message: Uint8Array, metadata: Metadata): Promise<Buffer> {
    return this.#channel.call(path, message, { metadata, deadlineMs: this.#options.timeoutMs });
  }

  async #login(): Promise<Metadata> {
    const { user, password = '' } = this.#options;
    if (user === undefined) return {};
    this.#token ??= this.#once('Auth/Authenticate', authenticateRequest(user, password), {}).then(
      authenticateResponse,
    );
    try {
      return { token: await this.#token };
    } catch (error) {
      this.forget();
      throw error;
    }
  }
}

/** A watch stream and the endpoint that it is on. */
export interface WatchStream {
  readonly stream: GrpcStream;
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

  /** Each endpoint once while a request surely was not sent; a read once more when a connection broke under it. */
  async call<Response>({ path, kind, read }: Method<Response>, message: Uint8Array): Promise<Response> {
    const started = performance.now();
    let unsent = 0;
    let again = kind === 'read' ? 1 : 0;
    for (;;) {
      await this.#choose();
      const connection = this.#connection();
      try {
        return read(await connection.call(path, message));
      } catch (error) {
        const failure = etcdError(error, connection.name, this.timeoutMs);
        const passing = isPassing(error) || (isSilent(error) && this.#connections.length > 1);
        const next = isUnsent(error) ? ++unsent < this.#connections.length : passing && again-- > 0;
        if (isUnsent(error) || passing) this.#moveOn(connection);
        if (!next || performance.now() - started >= this.timeoutMs * this.#connections.length) throw failure;
      }
    }
  }

  /**
   * A stream on an endpoint that answers. With several endpoints it is cancelled a few seconds after its own stopped
   * answering.
   */
  async watchStream(): Promise<WatchStream> {
    await this.#choose();
    const endpoint = this.#connection();
    const stream = await endpoint.watch().catch((error: unknown) => {
      this.streamFailed(endpoint);
      throw this.error(error, endpoint);
    });
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

  #connection(): Connection {
    return this.#connections[this.#current % this.#connections.length]!;
  }
}
