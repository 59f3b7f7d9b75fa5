import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hollowDown } from '../src/lib/lab/hollow/process.ts';
import { cluster, type Figure, median, withEnd } from './proc.ts';

const SIZES = [1, 10, 100, 1000];
const SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n';

/** How `start` and `list-units` grow with units, on ten hollow machines, and with machines, one unit on each. */
export async function benchGrowth(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const units of SIZES)
    figures.push(...(await measure(10, `u@<1..${units}>.service`, units, `${units} units on 10 machines`)));
  for (const machines of SIZES)
    figures.push(
      ...(await measure(machines, 'everywhere.service', machines, `1 unit on each of ${machines} machines`)),
    );
  return figures;
}

async function measure(machines: number, names: string, units: number, what: string): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), 'cluster-benchg-'));
  const work = async (): Promise<Figure[]> => {
    await writeFile(join(dir, 'u@.service'), SERVICE);
    await writeFile(join(dir, 'everywhere.service'), `${SERVICE}[X-Fleet]\nGlobal=true\n`);
    await cluster(dir, ['lab', 'up', '--hollow', String(machines), '--name', 'benchg']);
    const start = await cluster(dir, ['start', names]);
    const list = async (): Promise<number> => {
      const { ms, stdout } = await cluster(dir, ['list-units', '--no-legend']);
      const active = (stdout.match(/ active +running$/gm) ?? []).length;
      if (active !== units) throw new Error(`list-units: ${active} active instead of ${units}`);
      return ms;
    };
    // The first ones log in, until connections are held.
    for (let n = 0; n < 3; n++) await list();
    const lists = [await list(), await list(), await list()];
    const line = (figure: string, path: string, ours: number): Figure => {
      return {
        figure: `${figure}, ${what}`,
        path: `hollow, embedded, ${path}`,
        unit: 'ms',
        ours,
        floor: null,
        aim: null,
      };
    };
    return [line('start', 'logging in', start.ms), line('list-units', 'held', median(lists))];
  };
  const end = (): Promise<boolean> => hollowDown(join(dir, 'store', 'hollow', 'benchg'));
  return withEnd(work, () => end().finally(() => rm(dir, { recursive: true, force: true })));
}
