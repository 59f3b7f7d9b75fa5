import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LabMachine, labDown, labPossible } from '../src/lib/lab/real/index.ts';
import { cluster, type Figure, run, sideBySide, withEnd } from './proc.ts';

const SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n';
const RUNS = 5;
/** How a command is timed: as one of many, with services watched as they are by default, or as the first, which logs in. */
const KINDS = [
  { label: '', settings: { CLUSTER_MIN_HEALTHY: '0' }, aims: true },
  { label: ', watched for 1 s', settings: { CLUSTER_MIN_HEALTHY: '1s' }, aims: false },
  { label: ', logging in', settings: { CLUSTER_SSH_PERSIST: '0', CLUSTER_MIN_HEALTHY: '0' }, aims: false },
] as const;
type Kind = (typeof KINDS)[number];

/** Why there can be no real machines here; null where there can. */
export const labSkipped = (): string | null => labPossible();

/** `list-units` and `start` on three real machines, beside plain parallel OpenSSH on the same ones. */
export async function benchLab(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), 'cluster-bench-'));
  const quiet = { name: 'bench', onProgress: () => undefined };
  const work = async (): Promise<Figure[]> => {
    await writeFile(join(dir, 'b@.service'), SERVICE);
    await labDown(quiet);
    const up = await cluster(dir, ['lab', 'up', '--name', 'bench', '--machines', '3', '--json']);
    const machines = JSON.parse(up.stdout) as LabMachine[];
    const figures: Figure[] = [];
    for (const kind of KINDS) {
      figures.push(await benchList(dir, machines, kind));
      for (const count of [1, 30, 100]) figures.push(await benchStart(dir, machines, count, kind));
    }
    return figures;
  };
  return withEnd(work, () => labDown(quiet).finally(() => rm(dir, { recursive: true, force: true })));
}

async function benchList(dir: string, machines: readonly LabMachine[], kind: Kind): Promise<Figure> {
  await cluster(dir, ['start', 'b@<1..100>.service']);
  const ours = async (): Promise<number> => {
    const { ms, stdout } = await cluster(dir, ['list-units', '--no-legend'], kind.settings);
    expectCount('list-units', (stdout.match(/ active +running$/gm) ?? []).length, 100);
    return ms;
  };
  const floor = async (): Promise<number> => {
    const { ms, lines } = await everywhere(machines, "systemctl list-units --all --no-legend --plain 'b@*'");
    expectCount('systemctl list-units', lines, 100);
    return ms;
  };
  await ours();
  await floor();
  const both = await sideBySide(RUNS, ours, floor);
  await cluster(dir, ['destroy', 'b@<1..100>.service']);
  const aim = kind.aims ? 0.5 : null;
  return { figure: `list-units, 100 units on 3 machines${kind.label}`, unit: 'ms', ...both, aim };
}

async function benchStart(
  dir: string,
  machines: readonly LabMachine[],
  count: number,
  kind: Kind,
): Promise<Figure> {
  const range = `b@<1..${count}>.service`;
  const shares = await Promise.all(machines.map((_, at) => share(dir, at, count)));
  const ours = async (): Promise<number> => {
    const { ms } = await cluster(dir, ['start', range], kind.settings);
    const active = "systemctl list-units --no-legend --plain --state=active 'b@*'";
    expectCount('units active after start', (await everywhere(machines, active)).lines, count);
    await cluster(dir, ['destroy', range]);
    return ms;
  };
  const floor = async (): Promise<number> => {
    const busy = machines.filter((_, at) => (shares[at]?.units.length ?? 0) > 0);
    const { ms } = await everywhere(
      busy,
      (at) =>
        `tar -xf - -C /etc/systemd/system && systemctl daemon-reload && systemctl start ${shares[at]?.units.join(' ')}`,
      (at) => shares[at]?.tar,
    );
    await everywhere(
      machines,
      "systemctl stop 'f@*'; rm -f /etc/systemd/system/f@*; systemctl daemon-reload",
    );
    return ms;
  };
  const both = await sideBySide(RUNS, ours, floor);
  const aim = kind.aims ? 1.2 : null;
  return { figure: `start of ${count} until active${kind.label}`, unit: 'ms', ...both, aim };
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

/** The same, or its own, command on all machines at once through OpenSSH. */
async function everywhere(
  machines: readonly LabMachine[],
  command: string | ((at: number) => string),
  input: (at: number) => Buffer | undefined = () => undefined,
): Promise<{ ms: number; lines: number }> {
  const start = performance.now();
  const ran = await Promise.all(
    machines.map(({ address, user, identity, knownHosts }, at) => {
      const options = ['-F', 'none', '-i', identity, '-o', `UserKnownHostsFile=${knownHosts}`];
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
