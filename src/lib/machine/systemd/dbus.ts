import type { Duplex } from 'node:stream';

/** An error answer of the bus or of the service behind it. */
export class BusError extends Error {
  /** D-Bus error name, such as `org.freedesktop.systemd1.NoSuchUnit`. */
  readonly dbusName: string;

  constructor(dbusName: string, message: string) {
    super(message === '' ? dbusName : message);
    this.name = 'BusError';
    this.dbusName = dbusName;
  }
}

/** The connection to the bus ended; nothing can be asked any more. */
export class BusClosed extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'BusClosed';
  }
}

export interface Signal {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
}

/** A method call; `destination` is the service's bus name. */
export interface Call {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
}

export interface Bus {
  call(call: Call): Promise<readonly unknown[]>;
  /** ... and reads the answer when it arrives, before the listeners hear any signal that comes after it. */
  call<Value>(call: Call, read: (body: readonly unknown[]) => Value): Promise<Value>;
  /** A call without an answer; it reaches the bus before whatever is called after it. */
  tell(call: Call): void;
  /** Sends AddMatch without waiting. A listener hears every signal that arrives, whichever rule asked for it. */
  on(rule: string, listener: (signal: Signal) => void): () => void;
  /** Resolves with the reason when the connection ends. */
  readonly closed: Promise<BusClosed>;
  close(): void;
}

/** What the library's codec reads and writes; it ships no types for this. */
interface Message {
  type: number;
  flags?: number;
  serial: number;
  replySerial?: number;
  errorName?: string;
  path?: string;
  interface?: string;
  member?: string;
  destination?: string;
  signature?: string;
  body?: readonly unknown[];
}

interface Codec {
  marshall(message: Message): Buffer;
  unmarshalMessages(
    stream: { on(event: 'readable', listener: () => void): void; read(size: number): Buffer | null },
    onMessage: (message: Message) => void,
    options: object,
  ): void;
}

/** dbus-daemon answers LimitsExceeded to the 129th call that waits for its reply. */
const MAX_PENDING = 100;

const METHOD_CALL = 1;
const METHOD_RETURN = 2;
const ERROR = 3;
const SIGNAL = 4;
const NO_REPLY = 1;

const DAEMON = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
} as const;

/**
 * Speaks D-Bus on a stream that is already connected to a bus socket. Only the codec of dbus-native is used: its client
 * sends the local uid at login, drags in an XML parser, leaves calls unanswered when the stream ends and prints.
 */
export async function connectBus(stream: Duplex): Promise<Bus> {
  const codec = await loadCodec();
  await login(stream);
  const bus = new StreamBus(stream, codec);
  bus.call({ ...DAEMON, member: 'Hello' }).catch(() => bus.close());
  return bus;
}

async function loadCodec(): Promise<Codec> {
  // @ts-expect-error The package has no types for its inner modules.
  const module: { default: Codec } = await import('@homebridge/dbus-native/lib/message.js');
  return module.default;
}

/**
 * SASL, all in one flight as sd-bus does it. EXTERNAL without an identity means "whoever the socket says I am": the uid
 * on the other machine is not ours to know.
 */
function login(stream: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const done = (error?: Error) => {
      stream.off('readable', read).off('close', ended).off('end', ended).off('error', done);
      if (error) reject(error);
      else resolve();
    };
    const ended = () => done(new BusClosed('the bus closed the connection during login'));
    const read = () => {
      // Byte by byte up to the end of the line: what follows OK belongs to the message reader.
      for (
        let byte = stream.read(1) as Buffer | null;
        byte !== null;
        byte = stream.read(1) as Buffer | null
      ) {
        text += byte.toString('latin1');
        if (!text.endsWith('\r\n')) {
          if (text.length > 4096) return done(new BusClosed('what answers is not a bus'));
          continue;
        }
        const line = text.trim();
        text = '';
        if (line.startsWith('OK')) return done();
        if (!line.startsWith('DATA')) return done(new BusClosed(`the bus refused the login: ${line}`));
      }
    };
    stream.on('readable', read).on('close', ended).on('end', ended).on('error', done);
    stream.write('\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n');
    read();
  });
}

class StreamBus implements Bus {
  readonly #stream: Duplex;
  readonly #codec: Codec;
  #serial = 0;
  #over: BusClosed | undefined;
  #tellClosed: (why: BusClosed) => void = () => undefined;
  readonly closed = new Promise<BusClosed>((resolve) => {
    this.#tellClosed = resolve;
  });
  readonly #pending = new Map<
    number,
    { resolve: (body: readonly unknown[]) => void; reject: (error: Error) => void }
  >();
  /** Calls in the order they were made, including those without an answer. */
  readonly #unsent: { readonly data: Buffer; readonly answered: boolean }[] = [];
  /** Calls that were sent and are not answered yet. */
  #unanswered = 0;
  readonly #ready: Buffer[] = [];
  readonly #listeners = new Set<(signal: Signal) => void>();

  constructor(stream: Duplex, codec: Codec) {
    this.#stream = stream;
    this.#codec = codec;
    const reader = {
      on: (_event: 'readable', pump: () => void) => {
        const guarded = () => {
          try {
            pump();
          } catch (error) {
            this.#end(`the bus sent something that cannot be read (${String(error)})`);
          }
        };
        stream.on('readable', guarded);
        // The login may have left whole messages in the buffer, for which no further event comes.
        queueMicrotask(guarded);
      },
      read: (size: number) => stream.read(size) as Buffer | null,
    };
    codec.unmarshalMessages(reader, (message) => this.#receive(message), { ayBuffer: true });
    stream.on('error', (error) => this.#end(error.message));
    stream.on('end', () => this.#end('the connection to the bus ended'));
    stream.on('close', () => this.#end('the connection to the bus ended'));
  }

  call<Value = readonly unknown[]>(
    call: Call,
    read: (body: readonly unknown[]) => Value = (body) => body as Value,
  ): Promise<Value> {
    if (this.#over) return Promise.reject(this.#over);
    const serial = ++this.#serial;
    const data = this.#encode(call, serial, 0);
    return new Promise((resolve, reject) => {
      const answered = (body: readonly unknown[]) => {
        try {
          resolve(read(body));
        } catch (error) {
          reject(error);
        }
      };
      this.#pending.set(serial, { resolve: answered, reject });
      this.#unsent.push({ data, answered: true });
      this.#send();
    });
  }

  tell(call: Call): void {
    if (this.#over) return;
    this.#unsent.push({ data: this.#encode(call, ++this.#serial, NO_REPLY), answered: false });
    this.#send();
  }

  #encode({ signature, body, ...rest }: Call, serial: number, flags: number): Buffer {
    return this.#codec.marshall({
      ...rest,
      ...(signature ? { signature, body: body ?? [] } : {}),
      type: METHOD_CALL,
      flags,
      serial,
    });
  }

  /** All calls made in one go are one write, since each write is a packet, encrypted on its own. */
  #flush(data: Buffer): void {
    if (this.#ready.push(data) > 1) return;
    queueMicrotask(() => this.#stream.write(Buffer.concat(this.#ready.splice(0))));
  }

  on(rule: string, listener: (signal: Signal) => void): () => void {
    this.#listeners.add(listener);
    const match = (member: string) => this.tell({ ...DAEMON, member, signature: 's', body: [rule] });
    match('AddMatch');
    return () => {
      if (this.#listeners.delete(listener)) match('RemoveMatch');
    };
  }

  close(): void {
    this.#end('the connection to the bus was closed');
    this.#stream.end();
  }

  #send(): void {
    for (let next = this.#unsent[0]; next && this.#unanswered < MAX_PENDING; next = this.#unsent[0]) {
      this.#unsent.shift();
      if (next.answered) this.#unanswered++;
      this.#flush(next.data);
    }
  }

  #receive(message: Message): void {
    if (message.type === SIGNAL) {
      const signal: Signal = {
        path: message.path ?? '',
        interface: message.interface ?? '',
        member: message.member ?? '',
        body: message.body ?? [],
      };
      for (const listener of [...this.#listeners]) listener(signal);
      return;
    }
    if (message.type !== METHOD_RETURN && message.type !== ERROR) return;
    const waiting = this.#pending.get(message.replySerial ?? 0);
    if (!waiting) return;
    this.#pending.delete(message.replySerial ?? 0);
    this.#unanswered--;
    this.#send();
    const body = message.body ?? [];
    if (message.type === METHOD_RETURN) waiting.resolve(body);
    else
      waiting.reject(
        new BusError(message.errorName ?? 'unknown', typeof body[0] === 'string' ? body[0] : ''),
      );
  }

  #end(why: string): void {
    if (this.#over) return;
    this.#over = new BusClosed(why);
    for (const { reject } of this.#pending.values()) reject(this.#over);
    this.#pending.clear();
    this.#listeners.clear();
    this.#tellClosed(this.#over);
  }
}

/** The value of a D-Bus variant as the codec gives it: `[type, [value]]`. */
export function variant(value: unknown): unknown {
  const inner = Array.isArray(value) ? value[1] : undefined;
  return Array.isArray(inner) ? inner[0] : undefined;
}
