import { printable } from '../printable.ts';

export interface TableOptions {
  /** Columns of the terminal: cells are shortened so that rows fit. Absent = as wide as it is, as for a pipe. */
  readonly width?: number | undefined;
  /** Colours a row, by its place in `rows`. */
  readonly paint?: (line: string, row: number) => string;
}

/**
 * Columns padded with blanks, one row a line, no trailing blanks: easy for cut and awk, and 10,000 rows take
 * milliseconds. `legend` adds a row of the column names in capitals.
 */
export function renderTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  legend: boolean,
  { width = Number.POSITIVE_INFINITY, paint = (line) => line }: TableOptions = {},
): string {
  const head = columns.map((name) => name.toUpperCase());
  const cells = rows.map((row) => row.map(printable));
  const all = legend ? [head, ...cells] : cells;
  const natural = head.map((_, at) => all.reduce((most, row) => Math.max(most, row[at]?.length ?? 0), 0));
  const widths = fitted(natural, width);
  const lines = all.map((row) =>
    row
      .map((cell, at) => {
        const shown = shortened(cell, widths[at] ?? 0);
        return at === row.length - 1 ? shown : shown.padEnd((widths[at] ?? 0) + GAP);
      })
      .join('')
      .trimEnd(),
  );
  const first = legend ? 1 : 0;
  return lines.map((line, at) => `${at < first ? line : paint(line, at - first)}\n`).join('');
}

const GAP = 2;
/** A column is not made narrower than this. */
const NARROWEST = 8;

/** Takes from the widest column until a row fits, or nothing more can be taken. */
function fitted(natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  let over = widths.reduce((sum, one) => sum + one, 0) + GAP * (widths.length - 1) - width;
  for (; over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= NARROWEST) break;
    widths[widest]!--;
  }
  return widths;
}

const shortened = (cell: string, width: number): string =>
  cell.length <= width ? cell : `${cell.slice(0, width - 1)}\u2026`;

/** One selectable column of a list. */
export type Columns<Row> = Readonly<Record<string, (row: Row) => string>>;
