import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError, EXIT } from '../error.ts';
import { EtcdAnchor } from './etcd-anchor.ts';
import { type Endpoint, EtcdClient, type Method, RANGE } from './etcd-client.ts';
import { isLeaseGone } from './etcd-errors.ts';
import {
  type KeyValue,
  leaseGrantRequest,
  leaseRequest,
  leaseResponse,
  type Member,
  memberListResponse,
  type RangeResponse,
  rangeRequest,
  txnRequest,
  txnResponse,
  type WatchEvent,
} from './etcd-messages.ts';
import { watchOnce } from './etcd-watch.ts';
import { checkTransaction, leaseExpired, prefixEnd } from './limits.ts';
import type {
  Entry,
  Lease,
  Range,
  Resync,
  Revision,
  Store,
  StoreEvent,
  StoreMember,
  Transaction,
} from './port.ts';
import { type LocalTunnel, listenTunnel } from './tunnel.ts';

export interface OpenEtcdOptions {
  /** `https://host:port`, `http://host:port`, or `host:port` (TLS when a certificate is given). */
  readonly endpoints: readonly string[];
  /** PEM. */
  readonly ca?: Buffer | string;
  readonly cert?: Buffer | string;
  readonly key?: Buffer | string;
  readonly user?: string;
  readonly password?: string;
  readonly timeoutMs: number;
  /** Opens the stream to an endpoint, instead of dialling it from here. */
  readonly connect?: (host: string, port: number) => Promise<Duplex>;
  /** What `connect` goes through, for messages. */
  readonly via?: string;
}

const PAGE = 1000;
const RECONNECT_MS = [50, 100, 250, 500, 1000];

const TXN: Method<ReturnType<typeof txnResponse>> = { path: 'KV/Txn', kind: 'write', read: txnResponse };
const GRANT: Method<ReturnType<typeof leaseResponse>> = {
  path: 'Lease/LeaseGrant',
  kind: 'write',
  read: leaseResponse,
};
const RENEW: typeof GRANT = { ...GRANT, path: 'Lease/LeaseKeepAlive' };
const REVOKE: Method<null> = { path: 'Lease/LeaseRevoke', kind: 'write', read: () => null };
const MEMBERS: Method<readonly Member[]> = {
  path: 'Cluster/MemberList',
  kind: 'read',
  read: memberListResponse,
};

/** Opens the store on etcd. Nothing is sent yet: the first call meets the errors. */
export async function openEtcd(options: OpenEtcdOptions): Promise<Store> {
  const tunnels: LocalTunnel[] = [];
  const endpoints: Endpoint[] = [];
  for (const name of options.endpoints) endpoints.push(await resolveEndpoint(name, options, tunnels));
  return new EtcdStore(new EtcdClient(endpoints, options), tunnels);
}

async function resolveEndpoint(
  name: string,
  { ca, cert, key, connect, via }: OpenEtcdOptions,
  tunnels: LocalTunnel[],
): Promise<Endpoint> {
  const match = /^(?:(https?):\/\/)?(\[[^\]]+\]|[^:/]+):(\d+)\/?$/.exec(name);
  if (match === null) {
    throw new ClusterError('config-invalid', `${name} is not an etcd endpoint`, {
      hint: 'expected https://HOST:PORT',
    });
  }
  const [, scheme, host = '', port = ''] = match;
  const secure = scheme === 'https' || (scheme === undefined && (ca ?? cert) !== undefined);
  const credentials = secure && {
    ...(ca !== undefined && { ca: Buffer.from(ca) }),
    ...(key !== undefined && { key: Buffer.from(key) }),
    ...(cert !== undefined && { cert: Buffer.from(cert) }),
  };
  if (connect === undefined) return { name, address: `${host}:${port}`, ...(credentials && { credentials }) };
  const bare = host.replace(/^\[|\]$/g, '');
  const tunnel = await listenTunnel(() => connect(bare, Number(port)));
  tunnels.push(tunnel);
  return {
    name: via === undefined ? name : `${name} through ${via}`,
    address: `127.0.0.1:${tunnel.port}`,
    ...(credentials && { credentials, serverName: bare }),
  };
}

class EtcdStore implements Store {
  readonly #client: EtcdClient;
  readonly #tunnels: readonly LocalTunnel[];
  readonly #closing = new AbortController();

  constructor(client: EtcdClient, tunnels: readonly LocalTunnel[]) {
    this.#client = client;
    this.#tunnels = tunnels;
  }

  async get(key: string): Promise<Entry | null> {
    const { kvs } = await this.#client.call(RANGE, rangeRequest({ key: Buffer.from(key) }));
    return kvs[0] ? entryOf(kvs[0]) : null;
  }

  /** Pages at the revision of the first page, since one gRPC message holds only so much. */
  async range(prefix: string): Promise<Range> {
    const end = prefixEnd(prefix) ?? Buffer.from([0]);
    const entries: Entry[] = [];
    let key = prefix === '' ? Buffer.from([0]) : Buffer.from(prefix);
    let revision: Revision = 0;
    let limit = PAGE;
    for (;;) {
      let page: RangeResponse;
      try {
        page = await this.#client.call(RANGE, rangeRequest({ key, rangeEnd: end, limit, revision }));
      } catch (error) {
        const text = String((error as Error).cause ?? error);
        if (/compacted/.test(text)) return this.range(prefix);
        if (limit === 1 || !/larger than max/.test(text)) throw error;
        limit = Math.max(1, limit >> 3);
        continue;
      }
      if (revision === 0) revision = page.revision;
      for (const kv of page.kvs) entries.push(entryOf(kv));
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return { entries, revision };
      key = Buffer.concat([last.key, Buffer.from([0])]);
    }
  }

  async commit(transaction: Transaction): Promise<Revision | null> {
    checkTransaction(transaction);
    const { succeeded, revision } = await this.#client.call(
      TXN,
      txnRequest({
        compare: transaction.compare.map(({ key, revision }) => ({ key, modRevision: revision })),
        success: transaction.writes,
      }),
    );
    return succeeded ? revision : null;
  }

  async lease(ttlSeconds: number): Promise<Lease> {
    const { id, ttl } = await this.#client.call(GRANT, leaseGrantRequest(ttlSeconds));
    return {
      id,
      ttl,
      keepAlive: async () => {
        const left = await this.#client.call(RENEW, leaseRequest(id));
        if (left.ttl <= 0) throw leaseExpired(id);
      },
      revoke: async () => {
        try {
          await this.#client.call(REVOKE, leaseRequest(id));
        } catch (error) {
          if (!isLeaseGone((error as Error).cause)) throw error;
        }
      },
    };
  }

  async *watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvent | Resync> {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    let last = after;
    let failures = 0;
    let anchor: EtcdAnchor | null = null;
    while (!ended.aborted) {
      try {
        anchor = await this.#verified(anchor, prefix, last);
        if (anchor === null) {
          const range = await this.range(prefix);
          last = range.revision;
          yield { type: 'resync', range };
          continue;
        }
        for await (const part of watchOnce(this.#client, prefix, last, ended)) {
          failures = 0;
          if (part === 'compacted') {
            const range = await this.range(prefix);
            last = range.revision;
            anchor = null;
            yield { type: 'resync', range };
            break;
          }
          const newest = part.at(-1);
          if (newest !== undefined) {
            last = newest.kv.modRevision;
            anchor = anchor.after(newest);
          }
          for (const event of part) {
            if (ended.aborted) return;
            yield eventOf(event);
          }
        }
      } catch (error) {
        if (ended.aborted) return;
        const failure = this.#client.error(error);
        // Retrying a refusal is pointless; any other error may be temporary.
        if (
          failure instanceof ClusterError &&
          failure.code === 'store-auth' &&
          !/dropped/.test(failure.message)
        ) {
          throw failure;
        }
        const wait = RECONNECT_MS[Math.min(failures++, RECONNECT_MS.length - 1)];
        await sleep(wait, undefined, { signal: ended }).catch(() => undefined);
      }
    }
  }

  /** The point where a watch goes on; null where etcd's history does not go through it, so that all is read anew. */
  async #verified(anchor: EtcdAnchor | null, prefix: string, last: Revision): Promise<EtcdAnchor | null> {
    if (anchor === null) return EtcdAnchor.at(this.#client, prefix, last);
    return (await anchor.holds(this.#client)) ? anchor : null;
  }

  async members(): Promise<readonly StoreMember[]> {
    const members = await this.#client.call(MEMBERS, new Uint8Array());
    return members.map(({ id, name, clientUrls, peerUrls }) => ({
      id: BigInt(id).toString(16),
      name,
      urls: clientUrls.length > 0 ? clientUrls : peerUrls,
    }));
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new ClusterError('store-unreachable', 'the store is closed', { exit: EXIT.store }));
    this.#client.close();
    await Promise.all(this.#tunnels.map((tunnel) => tunnel.close()));
  }
}

function entryOf({ key, value, modRevision, lease }: KeyValue): Entry {
  return {
    key: key.toString(),
    value: value.toString(),
    revision: modRevision,
    lease: lease === '0' ? null : lease,
  };
}

function eventOf({ removed, kv }: WatchEvent): StoreEvent {
  if (!removed) return { type: 'put', entry: entryOf(kv) };
  return { type: 'remove', key: kv.key.toString(), revision: kv.modRevision };
}
