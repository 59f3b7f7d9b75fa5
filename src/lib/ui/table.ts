import { printable } from '../printable.ts';

/**
 * Columns padded with blanks, one row a line, no trailing blanks: easy for cut and awk, and 10,000 rows take
 * milliseconds. `legend` adds a row of the column names in capitals.
 */
export function renderTable(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  legend: boolean,
): string {
  const head = columns.map((name) => name.toUpperCase());
  const cells = rows.map((row) => row.map(printable));
  const all = legend ? [head, ...cells] : cells;
  const widths = head.map((_, at) => all.reduce((width, row) => Math.max(width, row[at]?.length ?? 0), 0));
  return all
    .map((row) =>
      row
        .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd((widths[at] ?? 0) + 2)))
        .join('')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** One selectable column of a list. */
export type Columns<Row> = Readonly<Record<string, (row: Row) => string>>;
