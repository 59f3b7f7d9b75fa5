import type { Store, Transaction, Write } from '../store/port.ts';
import type { Author } from './author.ts';
import { below } from './keys.ts';

/** What one write did to one object. */
export interface Change {
  readonly kind: 'unit' | 'machine' | 'traffic' | 'settings';
  /** Unit name, machine id, or vulcand's path such as `frontends/web/frontend`. */
  readonly name: string;
  readonly removed?: true;
  /** Of a unit, as it was written. */
  readonly desired?: string;
  readonly machine?: string | null;
  readonly hash?: string;
}

/** One write of the registry: who, when, with which command, and what changed. */
export interface EventRecord {
  readonly v: 1;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly who: string;
  readonly command: string;
  readonly message?: string;
  readonly changes: readonly Change[];
}

export interface AuditOptions {
  readonly prefix: string;
  readonly trafficPrefix: string;
  readonly author: Author;
  readonly now: () => Date;
  /** Tells two events of one millisecond apart. */
  readonly random: () => string;
  /** A record was made. */
  readonly recorded?: () => void;
}

/** A store whose every write of the registry carries the record of who made it, in the same transaction. */
export function audited(store: Store, options: AuditOptions): Store {
  return {
    ...through(store),
    commit: (transaction) => store.commit(withEvent(transaction, options)),
  };
}

/** Methods of a class do not spread. */
function through(store: Store): Store {
  return {
    get: (key) => store.get(key),
    range: (prefix) => store.range(prefix),
    commit: (transaction) => store.commit(transaction),
    lease: (ttl) => store.lease(ttl),
    watch: (prefix, after, signal) => store.watch(prefix, after, signal),
    ...(store.members && { members: () => store.members?.() ?? Promise.resolve([]) }),
    close: () => store.close(),
  };
}

function withEvent(transaction: Transaction, options: AuditOptions): Transaction {
  const changes = changesIn(transaction.writes, options);
  if (changes.length === 0) return transaction;
  const now = options.now();
  const record: EventRecord = { v: 1, at: now.toISOString(), ...options.author, changes };
  options.recorded?.();
  const put = `${below(options.prefix, 'events/')}${eventKey(now, options.random())}`;
  return { ...transaction, writes: [...transaction.writes, { put, value: JSON.stringify(record) }] };
}

const DIGITS = 13;

/** Keys are in order of time. */
export function eventKey(at: Date, suffix: string): string {
  return `${String(at.getTime()).padStart(DIGITS, '0')}-${suffix}`;
}

/** What these writes change for a person; what we keep for ourselves, or what hangs on a lease, is not told. */
export function changesIn(
  writes: readonly Write[],
  { prefix, trafficPrefix }: Pick<AuditOptions, 'prefix' | 'trafficPrefix'>,
): Change[] {
  const [own, traffic] = [below(prefix), below(trafficPrefix)];
  return writes.flatMap((write): Change[] => {
    if ('put' in write && write.lease !== undefined) return [];
    const key = 'put' in write ? write.put : write.remove;
    const removed = 'put' in write ? {} : ({ removed: true } as const);
    if (key.startsWith(traffic)) return [{ kind: 'traffic', name: key.slice(traffic.length), ...removed }];
    if (!key.startsWith(own)) return [];

    const path = key.slice(own.length);
    const slash = path.indexOf('/');
    const name = path.slice(slash + 1);
    switch (slash < 0 ? path : path.slice(0, slash)) {
      case 'units':
        return [{ kind: 'unit', name, ...removed, ...('put' in write && unitFields(write.value)) }];
      case 'machines':
        return [{ kind: 'machine', name, ...removed }];
      case 'gateway-settings':
        return [{ kind: 'settings', name: 'gateway-settings', ...removed }];
      default:
        return [];
    }
  });
}

function unitFields(value: string): Pick<Change, 'desired' | 'machine' | 'hash'> {
  const { desired, machine, hash } = JSON.parse(value) as Pick<Change, 'desired' | 'machine' | 'hash'>;
  return {
    ...(desired !== undefined && { desired }),
    ...(machine !== undefined && { machine }),
    ...(hash !== undefined && { hash }),
  };
}
