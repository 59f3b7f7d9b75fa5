import type { Store, Transaction } from '../../../../src/lib/store/port.ts';

/** Lets every commit wait for `until`. */
export function holdCommits(store: Store, until: () => Promise<void>): void {
  const commit = store.commit.bind(store);
  store.commit = async (transaction: Transaction) => {
    await until();
    return commit(transaction);
  };
}

export function withResolvers() {
  let resolve: (value: unknown) => void = () => undefined;
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Keeps a record as a gateway does, and serves nothing; one that is not `eager` never gets on. */
export async function fakeGateway(
  store: Store,
  env: Readonly<Record<string, string>>,
  name: string,
  eager = true,
): Promise<{ stop: () => Promise<void> }> {
  const cluster = env.CLUSTER_KEY_PREFIX ?? '';
  const lease = await store.lease(30);
  const say = (revision: number) =>
    store.commit({
      compare: [],
      writes: [
        {
          put: `${cluster}/gateways/${name}`,
          value: JSON.stringify({
            v: 1,
            machine: name,
            hostname: name,
            address: null,
            admin: '',
            version: '0',
            revision,
          }),
          lease: lease.id,
        },
      ],
    });
  const abort = new AbortController();
  const { revision } = await store.range(`${cluster}/gateways/`);
  await say(revision);
  const following = (async () => {
    for await (const event of store.watch(`${env.CLUSTER_TRAFFIC_PREFIX}/`, revision, abort.signal))
      if (eager && event.type === 'put') await say(event.entry.revision);
  })();
  return {
    stop: async () => {
      abort.abort();
      await following;
      await lease.revoke();
    },
  };
}
