import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LabMachine, labDown, labPossible } from '../src/lib/lab/real/index.ts';
import { startEtcd } from '../test/support/etcd-server.ts';
import { cluster, emptyNode, type Figure, inTurn, run, withEnd } from './proc.ts';

const SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n';
const RUNS = 5;
/** Which store, and how a command is timed: as one of many, or as the first, which logs in itself. */
interface Way {
  readonly path: string;
  readonly settings: NodeJS.ProcessEnv;
  /** The most that list-units of 100 units may take, in multiples of an empty Node. */
  readonly listAim: number | null;
  /** The most that a start may take, in multiples of its floor. */
  readonly startAim: number;
  readonly floor: 'login' | 'master';
}

const held = (path: string, settings: NodeJS.ProcessEnv, listAim: number): Way => {
  return { path: `${path}, held`, settings, listAim, startAim: 1.3, floor: 'master' };
};
const loggingIn = (path: string, settings: NodeJS.ProcessEnv): Way => {
  const all = { ...settings, CLUSTER_SSH_PERSIST: '0' };
  return { path: `${path}, logging in`, settings: all, listAim: null, startAim: 1.2, floor: 'login' };
};

/** What the two floors are called. */
const FLOOR = { login: 'parallel OpenSSH', master: 'the same over ControlMaster' } as const;

/** Why there can be no real machines here; null where there can. */
export const labSkipped = (): string | null => labPossible();

/**
 * `list-units` and `start` on three real machines, with either store, beside plain parallel OpenSSH on the same ones, that
 * logs in and that has connections (ControlMaster).
 */
export async function benchLab(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), 'cluster-bench-'));
  const quiet = { name: 'bench', onProgress: () => undefined };
  const etcd = await startEtcd();
  const work = async (): Promise<Figure[]> => {
    await writeFile(join(dir, 'b@.service'), SERVICE);
    await labDown(quiet);
    const up = await cluster(dir, ['lab', 'up', '--name', 'bench', '--machines', '3', '--json']);
    const machines = JSON.parse(up.stdout) as LabMachine[];
    const figures: Figure[] = [];
    const measure = async (way: Way): Promise<void> => {
      figures.push(...(await benchList(dir, machines, way)));
      for (const count of [1, 30, 100]) figures.push(await benchStart(dir, machines, count, way));
      figures.push(await benchStart(dir, machines, 100, way, true));
    };
    for (const way of [held('embedded', {}, 3.4), loggingIn('embedded', {})]) await measure(way);
    await cluster(dir, ['registry', 'copy', '--to', etcd.endpoint]);
    const settings = { CLUSTER_ENDPOINT: etcd.endpoint };
    for (const way of [held('etcd', settings, 3.9), loggingIn('etcd', settings)]) await measure(way);
    return figures;
  };
  const end = () => Promise.allSettled([labDown(quiet), etcd.stop()]);
  return withEnd(work, () => end().finally(() => rm(dir, { recursive: true, force: true })));
}

async function benchList(dir: string, machines: readonly LabMachine[], way: Way): Promise<Figure[]> {
  await cluster(dir, ['start', 'b@<1..100>.service'], way.settings);
  const ours = async (): Promise<number> => {
    const { ms, stdout } = await cluster(dir, ['list-units', '--no-legend'], way.settings);
    expectCount('list-units', (stdout.match(/ active +running$/gm) ?? []).length, 100);
    return ms;
  };
  const floor = (how: keyof typeof FLOOR) => async (): Promise<number> => {
    const list = "systemctl list-units --all --no-legend --plain 'b@*'";
    const { ms, lines } = await everywhere(machines, list, how);
    expectCount('systemctl list-units', lines, 100);
    return ms;
  };
  const measures = { ours, login: floor('login'), master: floor('master'), node: emptyNode };
  for (const measure of Object.values(measures)) await measure();
  const ms = await inTurn(RUNS, measures);
  await cluster(dir, ['destroy', 'b@<1..100>.service'], way.settings);
  const line = (beside: string, than: number, aim: number | null): Figure => {
    const figure = 'list-units, 100 units on 3 machines';
    return { figure, path: way.path, beside, unit: 'ms', ours: ms.ours, floor: than, aim };
  };
  return [
    line('node -e 0', ms.node, way.listAim),
    line(FLOOR.login, ms.login, null),
    line(FLOOR.master, ms.master, null),
  ];
}

async function benchStart(
  dir: string,
  machines: readonly LabMachine[],
  count: number,
  way: Way,
  watched = false,
): Promise<Figure> {
  const range = `b@<1..${count}>.service`;
  const shares = await Promise.all(machines.map((_, at) => share(dir, at, count)));
  const ours = async (): Promise<number> => {
    // OpenSSH beside it returns when systemd calls the units started, as `start` does without a watch.
    const watch = watched ? [] : ['--min-healthy', '0'];
    const { ms } = await cluster(dir, ['start', range, ...watch], way.settings);
    const active = "systemctl list-units --no-legend --plain --state=active 'b@*'";
    expectCount('units active after start', (await everywhere(machines, active, 'master')).lines, count);
    await cluster(dir, ['destroy', range], way.settings);
    return ms;
  };
  const floor = async (): Promise<number> => {
    const busy = machines.filter((_, at) => (shares[at]?.units.length ?? 0) > 0);
    const { ms } = await everywhere(
      busy,
      (at) =>
        `tar -xf - -C /etc/systemd/system && systemctl daemon-reload && systemctl start ${shares[at]?.units.join(' ')}`,
      way.floor,
      (at) => shares[at]?.tar,
    );
    await everywhere(
      machines,
      "systemctl stop 'f@*'; rm -f /etc/systemd/system/f@*; systemctl daemon-reload",
      'master',
    );
    return ms;
  };
  await everywhere(machines, 'true', 'master');
  const both = await inTurn(RUNS, { ours, floor });
  const aim = count === 100 && !watched ? way.startAim : null;
  return {
    ...{
      figure: `start of ${count} until active${watched ? ', and watched for 1 s' : ''}`,
      path: way.path,
      beside: FLOOR[way.floor],
    },
    ...{ unit: 'ms', ...both, aim },
  };
}

interface Share {
  readonly units: readonly string[];
  readonly tar: Buffer;
}

/** What one machine gets by hand: the files it needs, packed before the clock runs. */
async function share(dir: string, machine: number, count: number): Promise<Share> {
  const numbers = Array.from({ length: count }, (_, i) => i + 1).filter((n) => (n - 1) % 3 === machine);
  const units = numbers.map((n) => `f@${n}.service`);
  const files = join(dir, `share-${machine}-${count}`);
  await mkdir(files, { recursive: true });
  for (const name of units) await writeFile(join(files, name), SERVICE);
  const packed = join(dir, `${machine}-${count}.tar`);
  await run('tar', ['-cf', packed, '-C', files, '.']);
  return { units, tar: await readFile(packed) };
}

/** The same, or its own, command on all machines at once through OpenSSH, which logs in or has a connection. */
async function everywhere(
  machines: readonly LabMachine[],
  command: string | ((at: number) => string),
  how: keyof typeof FLOOR,
  input: (at: number) => Buffer | undefined = () => undefined,
): Promise<{ ms: number; lines: number }> {
  const start = performance.now();
  const ran = await Promise.all(
    machines.map(({ address, user, identity, knownHosts }, at) => {
      const options = ['-F', 'none', '-i', identity, '-o', `UserKnownHostsFile=${knownHosts}`];
      const control = ['ControlMaster=auto', 'ControlPath=/tmp/cluster-bench-%C', 'ControlPersist=60'];
      if (how === 'master') options.push(...control.flatMap((option) => ['-o', option]));
      const line = typeof command === 'string' ? command : command(at);
      const data = input(at);
      return run('ssh', [...options, '-o', 'BatchMode=yes', `${user}@${address}`, line], {
        ...(data !== undefined && { input: data }),
      });
    }),
  );
  const ms = performance.now() - start;
  return { ms, lines: ran.reduce((sum, { stdout }) => sum + stdout.split('\n').length - 1, 0) };
}

function expectCount(what: string, have: number, want: number): void {
  if (have !== want) throw new Error(`${what}: ${have} instead of ${want}`);
}
