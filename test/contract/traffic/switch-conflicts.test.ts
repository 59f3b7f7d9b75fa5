import { expect, test } from 'vitest';
import { workplace } from '../../support/cli.ts';
import { freePort } from '../../support/port.ts';
import { at, etcd, expectRefused, gate, keys, ok, put, withObjects, words } from './support/bad-input.ts';

withObjects();

test('two switches at once: the second is told, exit 6, and nothing of it is written', async () => {
  const slow = await gate('frontends/f1/frontend');
  const second = { ...(await workplace(slow.env)) };
  const late = second.run('frontend', 'upsert', '-id', 'f1', '-b', 'app-v3.0', '--force');
  await slow.seen;
  expect(await at.run('frontend', 'upsert', '-b', 'app-v2.0')).toMatchObject({ code: 0 });
  const after = keys();
  slow.resume();
  expectRefused(await late, 6, /somebody else changed frontends\/f1\/frontend[\s\S]*nothing was written/);
  expect(keys()).toEqual(after);
  expect(JSON.parse(await ok('frontend', 'history', 'f1', '--json'))).toHaveLength(1);
  slow.close();
  await second.remove();
});

test('etcd away: at once, and in the middle of an upsert; exit 5, nothing written', async () => {
  const before = keys();
  const endpoint = ['--endpoint', `http://127.0.0.1:${await freePort()}`, '--request-timeout', '1s'];
  const upsert = words('backend upsert -id late');
  expectRefused(await at.run(...upsert, ...endpoint), 5, /etcd/);
  const cut = await gate('frontends/f1/frontend');
  const cutOff = await workplace(cut.env);
  const ran = cutOff.run(...upsert, '--request-timeout', '1s');
  await cut.seen;
  cut.close();
  expectRefused(await ran, 5, /etcd/);
  expect(keys()).toEqual(before);
  await cutOff.remove();
});

test('--wait with no gateway says so; a gateway that lags is named, and the switch stands', async () => {
  const waiting = await workplace({ CLUSTER_ENDPOINT: etcd.endpoint, CLUSTER_KEY_PREFIX: '/lagging' });
  const alone = await waiting.run(...words('frontend upsert -id f1 -b app-v1.0 --wait'));
  expect(alone).toMatchObject({ code: 0, stderr: expect.stringContaining('no gateway is registered') });
  const record = {
    v: 1,
    machine: 'c0ffee',
    hostname: 'idle',
    address: null,
    admin: '',
    version: '0',
    revision: 1,
  };
  put('/lagging/gateways/c0ffee', JSON.stringify(record));
  const lagging = await waiting.run(...words('frontend upsert -id f1 -b app-v2.0 --wait-timeout 200ms'));
  expect(lagging).toMatchObject({ code: 1, stdout: expect.stringContaining('app-v1.0 -> app-v2.0') });
  expect(lagging.stderr).toMatch(
    /^Error: .*1 of 1 gateways .*idle \(c0ffee\)\n {2}try: the change stands.*\n$/,
  );
  expect(await ok('frontend', 'show', 'f1')).toContain('app-v2.0');
  put('/lagging/gateways/c0ffee', '{oops');
  const broken = await waiting.run(...words('frontend upsert -id f1 -b app-v1.0 --wait'));
  expect(broken.code).toBe(0);
  await waiting.remove();
});
