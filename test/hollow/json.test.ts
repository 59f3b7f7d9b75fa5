import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { ENTRY, type Workplace, workplace } from '../support/cli.ts';
import { workplaceWith } from '../support/hollow.ts';

const RUN = '[Service]\nExecStart=/bin/sleep infinity\n';
let home: Workplace;
let at: Workplace;
let lab: HollowLab;

beforeAll(async () => {
  home = await workplace();
  lab = await hollowUp({ machines: 2, stateDir: join(home.dir, 'lab'), name: 'json' });
  at = await workplaceWith(lab);
  await at.file('a.service', RUN);
  await at.file('b.service', RUN);
}, 60_000);

afterAll(async () => {
  await lab.close();
  await at.remove();
  await home.remove();
});

/**
 * Commands that run until they are ended, or that need what a test of this kind has not: an etcd, a release, a broken key,
 * a rollout under way, a slot that is held, packages; or that end their own flags with `--`.
 */
const ELSEWHERE = new Set([
  'gateway',
  'registrator',
  'registry:copy',
  'registry:rm-key',
  'machine:install',
  'rollout:pause',
  'lock:rm',
  'machine:exec',
  'machine:update',
]);

/** Each rests on those before it. */
const WALK: readonly string[] = [
  'submit a.service',
  'load a.service',
  'start a.service',
  'restart a.service',
  'stop a.service',
  'unload a.service',
  'start a.service',
  'reconcile',
  'start --replace --canary 1 --pause --min-healthy 0 a.service b.service',
  'rollout resume',
  'rollout rollback',
  'start --replace --canary 1 --pause --min-healthy 0 a.service b.service',
  'rollout abort',
  'destroy --dry-run a.service',
  'destroy a.service',
  'rollback a.service',
  'rebalance',
  'destroy a.service',
  'machine cordon FIRST',
  'machine uncordon FIRST',
  'machine drain FIRST',
  'machine uncordon FIRST',
  'machine reboot FIRST',
  'machine set-metadata FIRST role=web',
  'machine rm --force FIRST',
  'machine add ADDRESS',
  'backend upsert --id b1',
  'server upsert --backend b1 --id s1 --url http://127.0.0.1:1',
  'backend upsert --id b2',
  'frontend upsert --id f1 --backend b1 --route Path("/")',
  'frontend upsert --force --id f1 --backend b2 --route Path("/")',
  'frontend rollback --id f1',
  'ratelimit upsert --frontend f1 --id r1 --requests 1 --variable client.ip',
  'ratelimit rm --frontend f1 --id r1',
  'connlimit upsert --frontend f1 --id c1 --connections 1 --variable client.ip',
  'connlimit rm --frontend f1 --id c1',
  'rewrite upsert --frontend f1 --id w1 --regexp /a --replacement /b',
  'rewrite rm --frontend f1 --id w1',
  'cbreaker upsert --frontend f1 --id k1 --condition NetworkErrorRatio()>0.5 --fallback {"Type":"response","Action":{"StatusCode":400,"Body":"no"}}',
  'cbreaker rm --frontend f1 --id k1',
  'trace upsert --frontend f1 --id t1 --addr syslog://127.0.0.1:514',
  'trace rm --frontend f1 --id t1',
  'frontend rm --id f1',
  'server rm --backend b1 --id s1',
  'backend rm b1',
  'host upsert --name example.com',
  'host rm --name example.com',
  'listener upsert --id l1 --proto http --addr 127.0.0.1:8182',
  'listener rm --id l1',
  'log set_severity --severity info',
  'registry reopen',
  'lab up --hollow 1 --name json-walk',
  'lab down --name json-walk',
];

test('every changing command prints one JSON document with --json', async () => {
  const manifest = JSON.parse(readFileSync(join(ENTRY, '../../dist/oclif.manifest.json'), 'utf8')) as {
    commands: Record<string, { changes: string }>;
  };
  const changing = Object.keys(manifest.commands).filter(
    (id) => manifest.commands[id]?.changes !== 'nothing' && !ELSEWHERE.has(id),
  );
  const walked = (id: string): boolean =>
    WALK.some((line) => line === id.replace(':', ' ') || line.startsWith(`${id.replace(':', ' ')} `));
  expect(changing.filter((id) => !walked(id))).toEqual([]);

  const first = lab.machines[0]!;
  for (const line of WALK) {
    const words = line.split(' ');
    const argv = words.map((word) =>
      word === 'FIRST' ? first.id : word === 'ADDRESS' ? `root@127.0.0.1:${first.port}` : word,
    );
    const ran = await at.run(...argv, '--json');
    expect([line, ran.stderr.match(/^Error.*/m)?.[0], ran.code]).toEqual([
      line,
      undefined,
      line.includes('--dry-run') ? 2 : 0,
    ]);
    expect(() => JSON.parse(ran.stdout) as unknown, `${line}: ${ran.stdout}`).not.toThrow();
    if (line.startsWith('start a'))
      expect(JSON.parse(ran.stdout)).toMatchObject({
        events: expect.arrayContaining([expect.objectContaining({ kind: 'state', state: 'launched' })]),
      });
  }
}, 120_000);
