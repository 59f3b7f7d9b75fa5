import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';

/** gRPC's names for how a call ended, as far as they are told apart here. */
export const STATUS = {
  ok: 0,
  unknown: 2,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unavailable: 14,
} as const;

/** A call that did not succeed. `message` is the server's own, or says what happened to the connection. */
export class GrpcError extends Error {
  readonly status: number;
  /** No server has seen the call, so it may be repeated whatever it does. */
  readonly unsent: boolean;

  constructor(status: number, message: string, unsent = false) {
    super(message);
    this.status = status;
    this.unsent = unsent;
  }
}

/** Where a channel leads. */
export interface GrpcServer {
  /** The host:port that is dialled. */
  readonly address: string;
  /** PEM; absent: no TLS. */
  readonly credentials?: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  /** The name in the server's certificate where it is not that of `address`. */
  readonly serverName?: string;
  /** How long a server may leave a sign of life unanswered while calls are open. */
  readonly silenceMs: number;
}

export type Metadata = Readonly<Record<string, string>>;

/** Messages in both directions until either side ends it. */
export interface GrpcStream {
  /** Ends where the server ends it well. @throws GrpcError */
  readonly messages: AsyncIterable<Buffer>;
  send(message: Uint8Array): void;
  cancel(): void;
}

const MOST_BYTES = 64 * 1024 * 1024;
/** How much a server may send ahead: of one answer, and of all. */
const WINDOW = 4 * 1024 * 1024;
const LIFE_SIGN_MS = 10_000;

/** gRPC on one HTTP/2 connection, which is made when it is first needed and again after it broke. */
export class GrpcChannel {
  readonly #server: GrpcServer;
  #session: Promise<ClientHttp2Session> | undefined;
  readonly #open = new Set<ClientHttp2Session>();
  #closed = false;

  constructor(server: GrpcServer) {
    this.#server = server;
  }

  /** One message there, one back. @throws GrpcError */
  async call(
    method: string,
    message: Uint8Array,
    { metadata, deadlineMs }: { readonly metadata: Metadata; readonly deadlineMs: number },
  ): Promise<Buffer> {
    const until = performance.now() + deadlineMs;
    const session = await this.#connected(deadlineMs);
    const left = Math.max(1, Math.round(until - performance.now()));
    const stream = begin(session, method, { ...metadata, 'grpc-timeout': `${left}m` });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      stream.close(constants.NGHTTP2_CANCEL);
    }, left);
    try {
      stream.end(frame(message));
      let answer: Buffer | undefined;
      for await (const part of answers(stream)) answer ??= part;
      if (answer !== undefined) return answer;
      throw new GrpcError(STATUS.unknown, 'the server ended the call without an answer');
    } catch (error) {
      throw late ? new GrpcError(STATUS.deadlineExceeded, 'the deadline is over') : error;
    } finally {
      clearTimeout(timer);
      stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  /** Opens a stream; its first message is up to the caller. @throws GrpcError where there is no connection. */
  async stream(
    method: string,
    { metadata, deadlineMs }: { readonly metadata: Metadata; readonly deadlineMs: number },
  ): Promise<GrpcStream> {
    const stream = begin(await this.#connected(deadlineMs), method, metadata);
    return {
      messages: answers(stream),
      send: (message) => void stream.write(frame(message)),
      cancel: () => stream.close(constants.NGHTTP2_CANCEL),
    };
  }

  close(): void {
    this.#closed = true;
    this.#session = undefined;
    for (const session of this.#open) session.destroy();
  }

  async #connected(deadlineMs: number): Promise<ClientHttp2Session> {
    if (this.#closed) throw new GrpcError(STATUS.unavailable, 'the channel is closed', true);
    this.#session ??= this.#connect();
    const session = this.#session;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new GrpcError(STATUS.deadlineExceeded, 'no connection in time', true);
      timer = setTimeout(reject, deadlineMs, error);
    });
    try {
      return await Promise.race([session, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Usable once the server has spoken: a socket alone does not mean that anybody listens. A server's refusal of our
   * certificate is an error of the socket only.
   */
  #connect(): Promise<ClientHttp2Session> {
    const socket = dial(this.#server);
    const session = connect(`http://${this.#server.address}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: WINDOW },
      maxSessionMemory: MOST_BYTES / 2 ** 20,
    });
    this.#open.add(session);
    const ready = new Promise<ClientHttp2Session>((resolve, reject) => {
      const fail = (why: string): void => reject(new GrpcError(STATUS.unavailable, why, true));
      const timer = setTimeout(() => session.destroy(), this.#server.silenceMs);
      session.once('close', () => clearTimeout(timer));
      session.once('remoteSettings', () => {
        clearTimeout(timer);
        session.setLocalWindowSize(WINDOW);
        showLife(session, this.#server.silenceMs);
        resolve(session);
      });
      for (const from of [socket, session])
        from.on('error', (error: Error) => fail(error.message || String(error)));
      session.once('close', () => fail('the server closed the connection'));
    });
    const forget = (): void => {
      if (this.#session === ready) this.#session = undefined;
    };
    session.once('goaway', forget);
    session.once('close', () => {
      forget();
      this.#open.delete(session);
    });
    ready.catch(forget);
    return ready;
  }
}

function dial({ address, credentials, serverName }: GrpcServer): Socket {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(colon + 1));
  if (credentials === undefined) return connectPlain({ host, port, noDelay: true });
  const name = serverName ?? host;
  const socket = connectTls({
    ...credentials,
    host,
    port,
    ALPNProtocols: ['h2'],
    ...(isIP(name) === 0 && { servername: name }),
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
  });
  return socket.setNoDelay(true);
}

/** Ends a connection whose server has gone without a word, as long as a call waits for it. */
function showLife(session: ClientHttp2Session, silenceMs: number): void {
  const timer = setInterval(() => {
    const silent = setTimeout(() => session.destroy(new Error('the server is silent')), silenceMs);
    const sent = session.ping(() => clearTimeout(silent));
    if (!sent) clearTimeout(silent);
  }, LIFE_SIGN_MS);
  timer.unref();
  session.once('close', () => clearInterval(timer));
}

function begin(session: ClientHttp2Session, method: string, metadata: Metadata): ClientHttp2Stream {
  const headers = {
    ':method': 'POST',
    ':path': `/etcdserverpb.${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...metadata,
  };
  try {
    return session.request(headers);
  } catch (error) {
    // It closed a moment ago.
    throw new GrpcError(STATUS.unavailable, String((error as Error).message), true);
  }
}

/** gRPC's frame: not compressed, and how long. */
function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(5 + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

/** The messages of an answer. Throws what its status says, or what happened to the connection. */
async function* answers(stream: ClientHttp2Stream): AsyncGenerator<Buffer, void, void> {
  let status: Record<string, unknown> = {};
  const note = (headers: Record<string, unknown>): void => {
    status = { ...status, ...headers };
  };
  stream.on('response', note);
  stream.on('trailers', note);
  try {
    yield* unframed(stream);
  } catch (error) {
    if (error instanceof GrpcError) throw error;
    const unsent = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    throw new GrpcError(STATUS.unavailable, (error as Error).message, unsent);
  }
  const code = Number(status['grpc-status'] ?? STATUS.unavailable);
  if (code === STATUS.ok) return;
  const said = status['grpc-message'] ?? `the connection ended (HTTP status ${status[':status'] ?? '-'})`;
  throw new GrpcError(code, decodeURIComponent(String(said).replace(/%(?![0-9a-f]{2})/gi, '%25')));
}

async function* unframed(stream: ClientHttp2Stream): AsyncGenerator<Buffer, void, void> {
  let parts: Buffer[] = [];
  let have = 0;
  for await (const part of stream as AsyncIterable<Buffer>) {
    parts.push(part);
    have += part.length;
    for (;;) {
      if (have < 5) break;
      if (parts[0]!.length < 5) parts = [Buffer.concat(parts)];
      const length = parts[0]!.readUInt32BE(1);
      if (length > MOST_BYTES)
        throw new GrpcError(STATUS.resourceExhausted, `a message of ${length} bytes is larger than max`);
      if (have < 5 + length) break;
      const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      yield whole.subarray(5, 5 + length);
      parts = [whole.subarray(5 + length)];
      have -= 5 + length;
    }
  }
}
