import nacl from 'tweetnacl';
import { ClusterError } from '../error.ts';
import { isObject } from './fields.ts';

/** A certificate chain and its private key, both PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

const ENCRYPTION = 'secretbox.v1';
const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64');

/**
 * The key pair as vulcand seals it: the JSON that `vctl secret seal_keypair` prints. `nonce` is 24 random bytes.
 * @throws `bad-seal-key`.
 */
export function sealKeyPair(pair: KeyPair, sealKey: string, nonce: Uint8Array): string {
  const plain = Buffer.from(JSON.stringify({ Key: base64(pair.key), Cert: base64(pair.cert) }));
  const sealed = nacl.secretbox(plain, nonce, keyBytes(sealKey));
  return JSON.stringify({ Encryption: ENCRYPTION, Value: { Val: base64(sealed), Nonce: base64(nonce) } });
}

/**
 * Opens a host's `KeyPair`: base64 of the sealed JSON, sealed by us or by vulcand. `sealKey` is 64 hex digits.
 * @throws `bad-seal-key`, `bad-sealed-value`.
 */
export function openKeyPair(sealed: string, sealKey: string): KeyPair {
  const key = keyBytes(sealKey);
  const outer = object(Buffer.from(sealed, 'base64'));
  if (outer.Encryption !== ENCRYPTION) throw broken(`it is not sealed by ${ENCRYPTION}`);
  const value = isObject(outer.Value) ? outer.Value : {};
  const nonce = bytes(value.Nonce);
  if (nonce.length !== nacl.secretbox.nonceLength) throw broken('its nonce has another length');
  const plain = nacl.secretbox.open(bytes(value.Val), nonce, key);
  if (plain === null) throw broken('the seal key does not open it');
  const pair = object(plain);
  return { cert: Buffer.from(bytes(pair.Cert)).toString(), key: Buffer.from(bytes(pair.Key)).toString() };
}

/** @throws `bad-seal-key` for what is not 64 hex digits; the key is never in the message. */
export function keyBytes(sealKey: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(sealKey.trim())) return new Uint8Array(Buffer.from(sealKey.trim(), 'hex'));
  throw new ClusterError('bad-seal-key', 'the seal key is not 64 hex digits', {
    hint: 'cluster secret new_key makes one',
  });
}

function bytes(value: unknown): Uint8Array {
  return new Uint8Array(Buffer.from(typeof value === 'string' ? value : '', 'base64'));
}

function object(json: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(json).toString());
    if (isObject(value)) return value;
  } catch {
    // Said below: what was inside may be secret.
  }
  throw broken('it is not JSON');
}

function broken(why: string): ClusterError {
  return new ClusterError('bad-sealed-value', `the sealed key pair cannot be opened: ${why}`, {
    hint: 'seal it again with the seal key that the gateways have',
  });
}
