import { constants } from 'node:os';

/** Does this signal, as Docker names it (`15`, `TERM`, `SIGTERM`, `SIGRTMIN+3`), end a container? */
export function isEnd(signal: string | null, stopSignal: string): boolean {
  if (signal === null) return false;
  const number = numberOf(signal);
  return number === constants.signals.SIGKILL || number === numberOf(stopSignal);
}

/** Linux counts the real-time signals from 34, as Docker does. */
function numberOf(signal: string): number | string {
  if (/^\d+$/.test(signal)) return Number(signal);
  const name = `SIG${signal.toUpperCase().replace(/^SIG/, '')}`;
  const [, edge, offset = '0'] = /^SIGRT(MIN|MAX)((?:[+-]\d+)?)$/.exec(name) ?? [];
  if (edge === 'MIN') return 34 + Number(offset || 0);
  if (edge === 'MAX') return 64 + Number(offset || 0);
  return Object.entries(constants.signals).find(([known]) => known === name)?.[1] ?? name;
}
