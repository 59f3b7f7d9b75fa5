import type { HeldConnection } from '../control/machines/connections.ts';
import { renderTable } from './table.ts';

/** One line a connection; times in whole seconds. */
export function connectionsTable(connections: readonly HeldConnection[]): string {
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
  const rows = connections.map(({ target: { user, address, port }, heldMs, unusedMs }) => [
    `${user}@${address}${port === 22 ? '' : `:${port}`}`,
    seconds(heldMs),
    seconds(unusedMs),
  ]);
  return renderTable(['machine', 'held', 'unused'], rows, true);
}
