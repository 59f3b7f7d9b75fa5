import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { renderTable } from '../src/lib/ui/table.ts';
import { benchHollow } from './hollow.ts';
import { benchLab, labSkipped } from './lab.ts';
import { benchPlacement } from './placement.ts';
import { cluster, type Figure, median, run, sideBySide } from './proc.ts';
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
  { name: 'traffic', skipped: null, measure: benchTraffic },
  { name: 'talk', skipped: labSkipped(), measure: benchTalk },
];

async function coldStart(): Promise<Figure[]> {
  const dir = process.cwd();
  const ours = async (): Promise<number> => (await cluster(dir, ['version'])).ms;
  const floor = async (): Promise<number> => (await run(process.execPath, ['-e', '0'])).ms;
  await ours();
  await floor();
  const both = await sideBySide(15, ours, floor);
  return [{ figure: 'cluster version / node -e 0', unit: 'ms', ...both, aim: 1.6 }];
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

function row(figure: Figure): string[] {
  const { unit, ours, floor, aim } = figure;
  const show = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  const times = ratio(figure);
  const wanted = aim === null ? '-' : floor === null ? show(aim) : `${aim}x`;
  const verdict = { true: ' met', false: ' MISSED', null: '' }[`${met(figure)}`];
  return [
    figure.figure,
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
  process.stdout.write(renderTable(['figure', 'ours', 'floor', 'ratio', 'aim'], figures.map(row), true));
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
