import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import { openEtcd } from '../../../src/lib/store/etcd.ts';

// A second process: `writer.ts KIND WHERE NAME COUNT` raises the shared counter COUNT times and leaves one key for each.
const [kind, where = '', name = '', count = '0'] = process.argv.slice(2);
const store =
  kind === 'etcd' ? await openEtcd({ endpoints: [where], timeoutMs: 5000 }) : await openEmbedded(where);

for (let i = 0; i < Number(count); ) {
  const counter = await store.get('race/counter');
  const revision = await store.commit({
    compare: [{ key: 'race/counter', revision: counter?.revision ?? 0 }],
    writes: [
      { put: 'race/counter', value: String(Number(counter?.value ?? 0) + 1) },
      { put: `race/${name}/${i}`, value: String(i) },
    ],
  });
  if (revision !== null) i++;
}
await store.close();
