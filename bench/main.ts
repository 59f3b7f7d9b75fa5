import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderTable } from '../src/lib/ui/table.ts';
import { startEtcd } from '../test/support/etcd-server.ts';
import { benchGrowth } from './growth.ts';
import { benchHollow } from './hollow.ts';
import { benchLab, labSkipped } from './lab.ts';
import { benchPlacement } from './placement.ts';
import { cluster, emptyNode, type Figure, inTurn, median, withEnd } from './proc.ts';
import { benchTalk } from './talk.ts';
import { benchTraffic } from './traffic.ts';

interface Section {
  readonly name: string;
  readonly skipped: string | null;
  readonly measure: () => Promise<Figure[]>;
}

const SECTIONS: readonly Section[] = [
  { name: 'cold start', skipped: null, measure: coldStart },
  { name: 'placement', skipped: null, measure: async () => placement() },
  { name: 'list rows', skipped: null, measure: async () => [listRows()] },
  { name: 'lab', skipped: labSkipped(), measure: benchLab },
  { name: 'hollow', skipped: null, measure: benchHollow },
  { name: 'growth', skipped: null, measure: benchGrowth },
  { name: 'traffic', skipped: null, measure: benchTraffic },
  { name: 'talk', skipped: labSkipped(), measure: benchTalk },
];

/** Commands that ask no machine, on an empty store. */
async function coldStart(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), 'cluster-bench-'));
  const etcd = await startEtcd();
  const ours =
    (...args: string[]) =>
    async (): Promise<number> =>
      (await cluster(dir, args)).ms;
  const measures = {
    node: emptyNode,
    version: ours('version'),
    help: ours('help'),
    embedded: ours('list-machines'),
    etcd: ours('list-machines', '--endpoint', etcd.endpoint),
  };
  const work = async (): Promise<Figure[]> => {
    for (const measure of Object.values(measures)) await measure();
    const ms = await inTurn(15, measures);
    const line = (name: keyof typeof ms, figure: string, path: string, aim: number | null): Figure => {
      return { figure, path, beside: 'node -e 0', unit: 'ms', ours: ms[name], floor: ms.node, aim };
    };
    return [
      line('version', 'cluster version', 'no store', 1.6),
      line('help', 'cluster help', 'no store', null),
      line('embedded', 'cluster list-machines', 'embedded', 2),
      line('etcd', 'cluster list-machines', 'etcd', null),
    ];
  };
  return withEnd(work, () => etcd.stop().finally(() => rm(dir, { recursive: true, force: true })));
}

function placement(): Figure[] {
  return benchPlacement([1_000, 10_000, 100_000]).flatMap(({ units, machines, ms, rssMb }): Figure[] => [
    { figure: `placement of ${units} on ${machines}`, unit: 'ms', ours: ms, floor: null, aim: null },
    ...(units < 100_000
      ? []
      : [{ figure: '  memory after it', unit: 'MB', ours: rssMb, floor: null, aim: null } as const]),
  ]);
}

function listRows(): Figure {
  const rows = Array.from({ length: 10_000 }, (_, i) => {
    return [`web@${i}.service`, `${(i * 7919).toString(16)}.../10.0.0.${i % 250}`, 'active', 'running'];
  });
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    renderTable(['unit', 'machine', 'active', 'sub'], rows, true);
    return performance.now() - start;
  });
  return { figure: 'rows of a 10,000-unit list', unit: 'ms', ours: median(times), floor: null, aim: null };
}

function ratio({ ours, floor }: Figure): number | null {
  return floor === null ? null : Math.round((ours / floor) * 100) / 100;
}

function met(figure: Figure): boolean | null {
  return figure.aim === null ? null : (ratio(figure) ?? figure.ours) <= figure.aim;
}

const HEAD = ['figure', 'path', 'floor', 'ours', 'of floor', 'ratio', 'aim'];

function row(figure: Figure): string[] {
  const { unit, ours, floor, aim, path = '-', beside = '-' } = figure;
  const show = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  const times = ratio(figure);
  const wanted = aim === null ? '-' : floor === null ? show(aim) : `${aim}x`;
  const verdict = { true: ' met', false: ' MISSED', null: '' }[`${met(figure)}`];
  return [
    figure.figure,
    path,
    beside,
    show(ours),
    floor === null ? '-' : show(floor),
    times === null ? '-' : `${times}x`,
    `${wanted}${verdict}`,
  ];
}

async function main(wanted: readonly string[]): Promise<void> {
  process.once('SIGINT', () => {
    process.exitCode = 130;
  });
  const figures: Figure[] = [];
  const notes: string[] = [];
  if (process.env.NODE_EXTRA_CA_CERTS !== undefined) {
    // It makes every Node start 40 ms later, and any ratio to an empty Node look better than it is.
    delete process.env.NODE_EXTRA_CA_CERTS;
    notes.push('NODE_EXTRA_CA_CERTS was unset for everything that was measured');
  }
  for (const { name, skipped, measure } of SECTIONS) {
    if (process.exitCode === 130) break;
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    if (skipped !== null) {
      notes.push(`${name} skipped: ${skipped}`);
      continue;
    }
    process.stderr.write(`measuring: ${name}\n`);
    try {
      figures.push(...(await measure()));
    } catch (error) {
      process.exitCode ??= 1;
      notes.push(`${name} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  process.stdout.write(renderTable(HEAD, figures.map(row), true));
  for (const note of notes) process.stdout.write(`${note}\n`);
  const computer = {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? '',
    memoryMb: Math.round(totalmem() / 2 ** 20),
    node: process.version,
  };
  const lines = figures.map((figure) => ({ ...figure, ratio: ratio(figure), met: met(figure) }));
  const results = fileURLToPath(new URL('../bench-results/', import.meta.url));
  await mkdir(results, { recursive: true });
  const report = { at: new Date().toISOString(), computer, figures: lines, notes };
  await writeFile(`${results}latest.json`, `${JSON.stringify(report, null, 2)}\n`);
}

await main(process.argv.slice(2));
