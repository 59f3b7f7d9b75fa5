/**
 * A D-Bus codec of its own, on purpose: the client (machine/systemd/dbus.ts) uses a library's. With two written
 * independently, a message that one of them gets wrong is a failed test; with one, both ends would agree on the mistake.
 */

/** A D-Bus value: what its signature says. Variants are `Variant`, dictionaries arrays of [key, value]. */
export type BusValue = string | number | bigint | boolean | Variant | readonly BusValue[] | Buffer;

export class Variant {
  readonly signature: string;
  readonly value: BusValue;

  constructor(signature: string, value: BusValue) {
    this.signature = signature;
    this.value = value;
  }
}

export interface BusMessage {
  readonly type: 'call' | 'return' | 'error' | 'signal';
  readonly flags?: number;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  readonly signature?: string;
  readonly body?: readonly BusValue[];
}

const TYPES = ['call', 'return', 'error', 'signal'] as const;
const FIELDS = [
  ['path', 1, 'o'],
  ['interface', 2, 's'],
  ['member', 3, 's'],
  ['errorName', 4, 's'],
  ['replySerial', 5, 'u'],
  ['destination', 6, 's'],
  ['sender', 7, 's'],
  ['signature', 8, 'g'],
] as const;

const ALIGN: Readonly<Record<string, number>> = {
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  s: 4,
  o: 4,
  a: 4,
  x: 8,
  t: 8,
  d: 8,
  '(': 8,
  '{': 8,
};

/** Splits a signature into its complete types. */
export function completeTypes(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = typeEnd(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

function typeEnd(signature: string, at: number): number {
  const c = signature[at];
  if (c === undefined) throw new Error(`bad signature ${signature}`);
  if (c === 'a') return typeEnd(signature, at + 1);
  if (c !== '(' && c !== '{') return at + 1;
  let next = at + 1;
  while (signature[next] !== (c === '(' ? ')' : '}')) next = typeEnd(signature, next);
  return next + 1;
}

/** Grows a little-endian D-Bus body. */
class Writer {
  buffer = Buffer.alloc(256);
  length = 0;

  align(to: number): void {
    const start = this.length;
    this.length = Math.ceil(this.length / to) * to;
    this.room(0);
    this.buffer.fill(0, start, this.length);
  }

  room(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const bigger = Buffer.alloc(Math.max(this.buffer.length * 2, this.length + bytes));
    this.buffer.copy(bigger, 0, 0, this.length);
    this.buffer = bigger;
  }

  uint32(value: number): void {
    this.align(4);
    this.room(4);
    this.length = this.buffer.writeUInt32LE(value >>> 0, this.length);
  }

  byte(value: number): void {
    this.room(1);
    this.buffer[this.length++] = value;
  }

  text(value: string, short: boolean): void {
    const bytes = Buffer.byteLength(value);
    if (short) this.byte(bytes);
    else this.uint32(bytes);
    this.room(bytes + 1);
    this.buffer.write(value, this.length);
    this.length += bytes;
    this.buffer[this.length++] = 0;
  }

  write(type: string, value: BusValue): void {
    const kind = type[0]!;
    this.align(ALIGN[kind] ?? 1);
    this.room(8);
    if (kind === 'y') this.byte(Number(value));
    else if (kind === 'b') this.uint32(value ? 1 : 0);
    else if (kind === 'u' || kind === 'i') this.uint32(Number(value));
    else if (kind === 'n' || kind === 'q')
      this.length = this.buffer.writeUInt16LE(Number(value) & 0xffff, this.length);
    else if (kind === 'x' || kind === 't')
      this.length = this.buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(Number(value))), this.length);
    else if (kind === 'd') this.length = this.buffer.writeDoubleLE(Number(value), this.length);
    else if (kind === 's' || kind === 'o') this.text(String(value), false);
    else if (kind === 'g') this.text(String(value), true);
    else if (kind === 'v') this.#variant(value as Variant);
    else if (kind === 'a') this.#array(type.slice(1), value as readonly BusValue[] | Buffer);
    else this.all(completeTypes(type.slice(1, -1)), value as readonly BusValue[]);
  }

  all(types: readonly string[], values: readonly BusValue[]): void {
    for (const [i, type] of types.entries()) this.write(type, values[i]!);
  }

  #variant(value: Variant): void {
    this.text(value.signature, true);
    this.write(value.signature, value.value);
  }

  #array(element: string, values: readonly BusValue[] | Buffer): void {
    const lengthAt = this.length;
    this.uint32(0);
    this.align(ALIGN[element[0]!] ?? 1);
    const start = this.length;
    for (const value of values) this.write(element, value);
    this.buffer.writeUInt32LE(this.length - start, lengthAt);
  }
}

/** Reads a D-Bus body of either byte order. */
class Reader {
  at: number;
  readonly #buffer: Buffer;
  readonly #little: boolean;

  constructor(buffer: Buffer, at: number, little: boolean) {
    this.#buffer = buffer;
    this.at = at;
    this.#little = little;
  }

  align(to: number): void {
    this.at = Math.ceil(this.at / to) * to;
  }

  uint32(): number {
    this.align(4);
    const value = this.#little ? this.#buffer.readUInt32LE(this.at) : this.#buffer.readUInt32BE(this.at);
    this.at += 4;
    return value;
  }

  text(short: boolean): string {
    const bytes = short ? this.#buffer.readUInt8(this.at++) : this.uint32();
    const value = this.#buffer.toString('utf8', this.at, this.at + bytes);
    this.at += bytes + 1;
    return value;
  }

  read(type: string): BusValue {
    const kind = type[0]!;
    this.align(ALIGN[kind] ?? 1);
    if (kind === 'y') return this.#buffer.readUInt8(this.at++);
    if (kind === 'b') return this.uint32() !== 0;
    if (kind === 'u') return this.uint32();
    if (kind === 'i') return this.uint32() | 0;
    if (kind === 's' || kind === 'o') return this.text(false);
    if (kind === 'g') return this.text(true);
    if (kind === 'v') {
      const signature = this.text(true);
      return new Variant(signature, this.read(signature));
    }
    if (kind === 'a') return this.#array(type.slice(1));
    if (kind === '(' || kind === '{')
      return completeTypes(type.slice(1, -1)).map((inner) => this.read(inner));
    const size = ALIGN[kind];
    if (size === undefined) throw new Error(`type ${kind} is not simulated`);
    const from = this.at;
    this.at += size;
    if (kind === 'd') return this.#little ? this.#buffer.readDoubleLE(from) : this.#buffer.readDoubleBE(from);
    if (size === 8)
      return this.#little ? this.#buffer.readBigUInt64LE(from) : this.#buffer.readBigUInt64BE(from);
    return this.#little ? this.#buffer.readUInt16LE(from) : this.#buffer.readUInt16BE(from);
  }

  #array(element: string): BusValue[] {
    const bytes = this.uint32();
    this.align(ALIGN[element[0]!] ?? 1);
    const end = this.at + bytes;
    const values: BusValue[] = [];
    while (this.at < end) values.push(this.read(element));
    return values;
  }
}

/** One message as bytes, little-endian. */
export function encodeMessage(message: BusMessage): Buffer {
  const body = new Writer();
  if (message.signature && message.body) body.all(completeTypes(message.signature), message.body);
  const head = new Writer();
  const type = TYPES.indexOf(message.type) + 1;
  head.all([...'yyyyuu'], [0x6c, type, message.flags ?? 0, 1, body.length, message.serial]);
  const fields = FIELDS.flatMap(([name, code, signature]) => {
    const value = message[name];
    return value === undefined || value === '' ? [] : [[code, new Variant(signature, value)]];
  });
  head.write('a(yv)', fields);
  head.align(8);
  return Buffer.concat([head.buffer.subarray(0, head.length), body.buffer.subarray(0, body.length)]);
}

/** Cuts a byte stream into messages; feed it chunks, it calls back for each whole message. */
export class MessageReader {
  #pending: Buffer = Buffer.alloc(0);
  readonly #onMessage: (message: BusMessage) => void;

  constructor(onMessage: (message: BusMessage) => void) {
    this.#onMessage = onMessage;
  }

  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length >= 16) {
      const little = this.#pending[0] === 0x6c;
      const head = new Reader(this.#pending, 4, little);
      const bodyLength = head.uint32();
      head.at = 12;
      const bodyAt = Math.ceil((16 + head.uint32()) / 8) * 8;
      const total = bodyAt + bodyLength;
      if (this.#pending.length < total) return;
      const frame = this.#pending.subarray(0, total);
      this.#pending = this.#pending.subarray(total);
      this.#onMessage(decode(frame, little, bodyAt));
    }
  }
}

function decode(frame: Buffer, little: boolean, bodyAt: number): BusMessage {
  const serial = new Reader(frame, 8, little).uint32();
  const fields = new Reader(frame, 12, little).read('a(yv)') as [number, Variant][];
  const named: Record<string, BusValue> = {};
  for (const [code, { value }] of fields) {
    const field = FIELDS[code - 1];
    if (field) named[field[0]] = value;
  }
  const signature = typeof named.signature === 'string' ? named.signature : '';
  // An array aligns from the start of the message, so the body must keep its place in the frame.
  const reader = new Reader(frame, bodyAt, little);
  const body = completeTypes(signature).map((type) => reader.read(type));
  return { ...named, type: TYPES[frame[1]! - 1] ?? 'call', flags: frame[2]!, serial, body };
}
