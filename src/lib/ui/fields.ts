import { ClusterError } from '../error.ts';
import { red } from './colour.ts';
import { type Columns, renderTable } from './table.ts';

export interface ListOptions {
  /** Comma-separated names as typed, or undefined for the default. */
  readonly fields: string | undefined;
  readonly legend: boolean;
  /** See TableOptions. */
  readonly width?: number | undefined;
}

/** @throws ClusterError `bad-field` with fleet's words. */
export function chooseFields<Row>(columns: Columns<Row>, fields: string): string[] {
  const names = fields
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const hint = `fields are: ${Object.keys(columns).sort().join(', ')}`;
  if (names.length === 0) throw new ClusterError('bad-field', 'Must define output format', { hint });
  for (const name of names)
    if (!(name in columns))
      throw new ClusterError('bad-field', `Invalid key in output format: "${name}"`, { hint });
  return names;
}

/** A list as fleet prints it: the fields asked for, in that order. */
export function renderList<Row>(
  columns: Columns<Row>,
  standard: string,
  rows: readonly Row[],
  options: ListOptions,
  isBad: (row: Row) => boolean = () => false,
): string {
  const names = chooseFields(columns, options.fields ?? standard);
  return renderTable(
    names,
    rows.map((row) => names.map((name) => columns[name]?.(row) || '-')),
    options.legend,
    { width: options.width, paint: (line, at) => (isBad(rows[at]!) ? red(line) : line) },
  );
}
