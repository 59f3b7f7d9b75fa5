import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';

/**
 * The messages of etcd's API that are used here, field by field as in its rpc.proto and kv.proto. int64 is a number
 * where it is a revision, and text where it is an id, which may be too large for a number.
 */

export interface KeyValue {
  /** Bytes, since keys of others need not be UTF-8. */
  readonly key: Buffer;
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** `0`: none. */
  readonly lease: string;
}

export interface RangeRequest {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  readonly limit?: number;
  readonly revision?: number;
  /** The key that was written last comes first. */
  readonly newestFirst?: boolean;
}

export interface RangeResponse {
  readonly clusterId: string;
  readonly revision: number;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}

export interface TxnRequest {
  readonly compare: readonly { readonly key: string; readonly modRevision: number }[];
  readonly success: readonly (
    | { readonly put: string; readonly value: string; readonly lease?: string }
    | { readonly remove: string }
  )[];
}

export interface WatchEvent {
  readonly removed: boolean;
  readonly kv: KeyValue;
}

export interface WatchResponse {
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly events: readonly WatchEvent[];
}

export interface Member {
  readonly id: string;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
}

const VARINT = 0;
const BYTES = 2;
const MOD = 2;
const DELETE = 1;
const DESCEND = 2;
const BY_MOD = 3;

/** Writes one field; a value that is proto3's default is left out. */
class Message {
  readonly #writer = new BinaryWriter();

  bytes(field: number, value: Uint8Array | undefined): this {
    if (value !== undefined) this.#writer.tag(field, BYTES).bytes(value);
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value));
  }

  int64(field: number, value: number | string | undefined): this {
    if (value !== undefined && value !== 0) this.#writer.tag(field, VARINT).int64(value);
    return this;
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.end());
  }

  end(): Uint8Array {
    return this.#writer.finish();
  }
}

/** Gives each field of a message to `field`, which reads it and returns true, or leaves it to be skipped. */
function eachField(message: Uint8Array, field: (number: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (!field(number, reader)) reader.skip(wireType);
  }
}

const number = (reader: BinaryReader): number => Number(reader.int64());
const id = (reader: BinaryReader): string => reader.int64().toString();

const text = (reader: BinaryReader): string => bytes(reader).toString();

function bytes(reader: BinaryReader): Buffer {
  const { buffer, byteOffset, length } = reader.bytes();
  return Buffer.from(buffer, byteOffset, length);
}

export function rangeRequest(request: RangeRequest): Uint8Array {
  const { key, rangeEnd, limit, revision, newestFirst } = request;
  const message = new Message().bytes(1, key).bytes(2, rangeEnd).int64(3, limit).int64(4, revision);
  if (newestFirst === true) message.int64(5, DESCEND).int64(6, BY_MOD);
  return message.end();
}

export function rangeResponse(message: Uint8Array): RangeResponse {
  const kvs: KeyValue[] = [];
  let header = { clusterId: '0', revision: 0 };
  let more = false;
  eachField(message, (field, reader) => {
    if (field === 1) header = headerOf(reader.bytes());
    else if (field === 2) kvs.push(keyValue(reader.bytes()));
    else if (field === 3) more = reader.bool();
    else return false;
    return true;
  });
  return { ...header, kvs, more };
}

export function txnRequest({ compare, success }: TxnRequest): Uint8Array {
  const message = new Message();
  for (const { key, modRevision } of compare) {
    // A result that is left out means Equal. A revision of 0 is written: without one nothing is compared.
    const target = new Message().int64(2, MOD).text(3, key).int64(6, String(modRevision));
    message.message(1, target);
  }
  for (const write of success) {
    const operation =
      'remove' in write
        ? new Message().message(3, new Message().text(1, write.remove))
        : new Message().message(
            2,
            new Message().text(1, write.put).text(2, write.value).int64(3, write.lease),
          );
    message.message(2, operation);
  }
  return message.end();
}

export function txnResponse(message: Uint8Array): { succeeded: boolean; revision: number } {
  let succeeded = false;
  let revision = 0;
  eachField(message, (field, reader) => {
    if (field === 1) revision = headerOf(reader.bytes()).revision;
    else if (field === 2) succeeded = reader.bool();
    else return false;
    return true;
  });
  return { succeeded, revision };
}

export const leaseGrantRequest = (ttl: number): Uint8Array => new Message().int64(1, ttl).end();
export const leaseRequest = (lease: string): Uint8Array => new Message().int64(1, lease).end();

/** Of a grant and of a renewal alike. */
export function leaseResponse(message: Uint8Array): { id: string; ttl: number } {
  const lease = { id: '0', ttl: 0 };
  eachField(message, (field, reader) => {
    if (field === 2) lease.id = id(reader);
    else if (field === 3) lease.ttl = number(reader);
    else return false;
    return true;
  });
  return lease;
}

export function watchRequest(key: Uint8Array, rangeEnd: Uint8Array, startRevision: number): Uint8Array {
  const create = new Message().bytes(1, key).bytes(2, rangeEnd).int64(3, startRevision);
  return new Message().message(1, create).end();
}

export function watchResponse(message: Uint8Array): WatchResponse {
  const events: WatchEvent[] = [];
  const answer = { canceled: false, compactRevision: 0, cancelReason: '' };
  eachField(message, (field, reader) => {
    if (field === 4) answer.canceled = reader.bool();
    else if (field === 5) answer.compactRevision = number(reader);
    else if (field === 6) answer.cancelReason = text(reader);
    else if (field === 11) events.push(watchEvent(reader.bytes()));
    else return false;
    return true;
  });
  return { ...answer, events };
}

function watchEvent(message: Uint8Array): WatchEvent {
  let removed = false;
  let kv: KeyValue = noKeyValue;
  eachField(message, (field, reader) => {
    if (field === 1) removed = reader.int32() === DELETE;
    else if (field === 2) kv = keyValue(reader.bytes());
    else return false;
    return true;
  });
  return { removed, kv };
}

export function authenticateRequest(name: string, password: string): Uint8Array {
  return new Message().text(1, name).text(2, password).end();
}

/** The token. */
export function authenticateResponse(message: Uint8Array): string {
  let token = '';
  eachField(message, (field, reader) => {
    if (field !== 2) return false;
    token = text(reader);
    return true;
  });
  return token;
}

export function memberListResponse(message: Uint8Array): Member[] {
  const members: Member[] = [];
  eachField(message, (field, reader) => {
    if (field !== 2) return false;
    members.push(member(reader.bytes()));
    return true;
  });
  return members;
}

function member(message: Uint8Array): Member {
  const found = { id: '', name: '', peerUrls: [] as string[], clientUrls: [] as string[] };
  eachField(message, (field, reader) => {
    if (field === 1) found.id = reader.uint64().toString();
    else if (field === 2) found.name = text(reader);
    else if (field === 3) found.peerUrls.push(text(reader));
    else if (field === 4) found.clientUrls.push(text(reader));
    else return false;
    return true;
  });
  return found;
}

const noKeyValue = {
  key: Buffer.alloc(0) as Buffer,
  value: Buffer.alloc(0) as Buffer,
  createRevision: 0,
  modRevision: 0,
  version: 0,
  lease: '0',
};

function keyValue(message: Uint8Array): KeyValue {
  const found = { ...noKeyValue };
  eachField(message, (field, reader) => {
    if (field === 1) found.key = bytes(reader);
    else if (field === 2) found.createRevision = number(reader);
    else if (field === 3) found.modRevision = number(reader);
    else if (field === 4) found.version = number(reader);
    else if (field === 5) found.value = bytes(reader);
    else if (field === 6) found.lease = id(reader);
    else return false;
    return true;
  });
  return found;
}

function headerOf(message: Uint8Array): { clusterId: string; revision: number } {
  const header = { clusterId: '0', revision: 0 };
  eachField(message, (field, reader) => {
    if (field === 1) header.clusterId = reader.uint64().toString();
    else if (field === 3) header.revision = number(reader);
    else return false;
    return true;
  });
  return header;
}
