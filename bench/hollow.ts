import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hollowDown } from '../src/lib/lab/hollow/process.ts';
import { cluster, type Figure, median, withEnd } from './proc.ts';

const MACHINES = 300;
const SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n';

/** The scale bench: 300 hollow machines (simulated systemd, real SSH) with 3,000 units. Needs no root. */
export async function benchHollow(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), 'cluster-benchh-'));
  const work = async (): Promise<Figure[]> => {
    await writeFile(join(dir, 'h@.service'), SERVICE);
    await writeFile(join(dir, 'g@.service'), SERVICE);
    const where = `${MACHINES} hollow machines`;
    const up = await cluster(dir, ['lab', 'up', '--hollow', String(MACHINES), '--name', 'benchh']);
    const filled = await measured(dir, ['start', 'h@<1..3000>.service']);
    const list = async (): Promise<Measured> => {
      const got = await measured(dir, ['list-units', '--no-legend']);
      const active = (got.stdout.match(/ active +running$/gm) ?? []).length;
      if (active !== 3000) throw new Error(`list-units: ${active} active instead of 3000`);
      return got;
    };
    const lists = [await list(), await list(), await list()];
    const start = await measured(dir, ['start', 'g@<1..300>.service']);
    const line = (figure: string, unit: 'ms' | 'MB', ours: number, aim: number | null = null): Figure => {
      return { figure, unit, ours, floor: null, aim };
    };
    return [
      line(`lab up, ${where}`, 'ms', up.ms),
      line(`start of 3,000 on ${where}`, 'ms', filled.ms),
      line('  its peak memory', 'MB', filled.mb),
      line(`list-units, 3,000 units on ${where}`, 'ms', median(lists.map(({ ms }) => ms)), 3000),
      line('  its peak memory', 'MB', Math.max(...lists.map(({ mb }) => mb))),
      line(`start of 300 more on ${where}`, 'ms', start.ms),
      line('  its peak memory', 'MB', start.mb),
    ];
  };
  const end = (): Promise<boolean> => hollowDown(join(dir, 'store', 'hollow', 'benchh'));
  return withEnd(work, () => end().finally(() => rm(dir, { recursive: true, force: true })));
}

interface Measured {
  readonly ms: number;
  readonly stdout: string;
  readonly mb: number;
}

/** Runs `cluster` and has the process itself write down its peak memory as it ends. */
async function measured(dir: string, args: readonly string[]): Promise<Measured> {
  const file = join(dir, 'maxrss');
  const code = `import fs from 'node:fs';process.on('exit',()=>fs.writeFileSync(${JSON.stringify(file)},String(process.resourceUsage().maxRSS)))`;
  const ran = await cluster(dir, args, {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
  });
  return { ...ran, mb: Number(await readFile(file, 'utf8')) / 1024 };
}
