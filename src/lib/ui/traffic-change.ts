import type { FrontendChange } from '../control/traffic/frontend.ts';
import type { Match } from '../control/traffic/match.ts';
import type { Served } from '../control/traffic/wait.ts';
import type { Change } from '../control/traffic/write.ts';
import { printable } from '../printable.ts';
import { green } from './colour.ts';

/** vctl's line for success; green on a terminal only. */
export function okLine(text: string): string {
  return `${green(`OK: ${printable(text)}`)}\n`;
}

/** What an upsert of a frontend did, first in vctl's words. */
export function changeLines({ frontend, from, to, changed, dryRun }: FrontendChange): string {
  const id = printable(frontend.Id);
  const moved = from !== null && from !== to ? `${printable(`${id}: ${from} -> ${to}`)}\n` : '';
  if (!changed)
    return `${dryRun ? '' : okLine('frontend upserted')}${id}: points at ${printable(to)} already, nothing to do\n`;
  if (!dryRun) return `${okLine('frontend upserted')}${moved}`;
  return `would ${from === null ? 'create' : moved === '' ? 'change' : 'switch'} ${moved || `${id}\n`}`;
}

export function servedLine({ gateways, ms }: Served): string {
  if (gateways === 0) return 'no gateway is left that could serve it\n';
  return `served by ${gateways} gateway${gateways === 1 ? '' : 's'} after ${Math.round(ms)} ms\n`;
}

/**
 * What a command changed, for programs: the object's own fields as vulcand names them, then what was done. `served` is
 * null where nobody was waited for.
 */
export function changeDocument(
  { object, ...done }: Change,
  served: Served | null,
  notes: readonly string[],
): object {
  return { ...object, ...done, served, notes };
}

/** The same of a frontend that was made, changed or switched. */
export function switchDocument(
  change: FrontendChange,
  served: Served | null,
  notes: readonly string[],
): object {
  const { frontend, from, to, changed, dryRun, revision } = change;
  const done = { kind: 'frontend', id: frontend.Id, action: 'upserted', changed, revision } as const;
  return { ...frontend, ...done, frontend: frontend.Id, from, to, dryRun, served, notes };
}

export function matchLines({ frontend, backend, reason }: Match): string {
  return frontend === null
    ? `no frontend serves it: ${printable(reason)}\n`
    : `${printable(`${frontend} -> ${backend}`)}\n${printable(reason)}\n`;
}
