import { etcdError, isPassing, isSilent, isStaleLogin, isUnsent, unreachable } from './etcd-errors.ts';
import { authenticateRequest, authenticateResponse } from './etcd-messages.ts';
import { firstToAnswer } from './first.ts';
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

/** Every endpoint, one of them in use. Moves on to the next when the one in use cannot be reached. */
export class EtcdClient {
  readonly #connections: readonly Connection[];
  readonly timeoutMs: number;
  #current = 0;
  #chosen: Promise<void> | undefined;

  constructor(endpoints: readonly Endpoint[], options: EtcdOptions) {
    this.#connections = endpoints.map((endpoint) => new Connection(endpoint, options));
    this.timeoutMs = options.timeoutMs;
  }

  /** Each endpoint once while a request surely was not sent; a read once more when a connection broke under it. */
  async call<Response>({ path, kind, read }: Method<Response>, message: Uint8Array): Promise<Response> {
    const started = Date.now();
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
        if (isUnsent(error) || passing) this.#moveOn();
        if (!next || Date.now() - started >= this.timeoutMs * this.#connections.length) throw failure;
      }
    }
  }

  watchStream(): Promise<GrpcStream> {
    return this.#connection().watch();
  }

  /** After a stream broke: a new login, and another endpoint if there is one. */
  streamFailed(): void {
    this.#connection().forget();
    this.#moveOn();
  }

  error(error: unknown): Error {
    return etcdError(error, this.#connection().name, this.timeoutMs);
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  /**
   * One that can be reached at all: what is sent to a machine that is cut off would wait for its whole time, in every
   * command anew.
   */
  #choose(): Promise<void> {
    if (this.#connections.length === 1) return Promise.resolve();
    const from = this.#current % this.#connections.length;
    const order = [...this.#connections.slice(from), ...this.#connections.slice(0, from)];
    this.#chosen ??= firstToAnswer(
      order.map(({ address }) => address),
      this.timeoutMs,
    ).then((found) => {
      if (found !== null) this.#current = from + found;
      else {
        this.#chosen = undefined;
        throw unreachable(order.map(({ name }) => name).join(', '));
      }
    });
    return this.#chosen;
  }

  #moveOn(): void {
    this.#current++;
    this.#chosen = undefined;
  }

  #connection(): Connection {
    return this.#connections[this.#current % this.#connections.length]!;
  }
}
