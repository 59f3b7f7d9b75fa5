import { Outage } from '../../../src/lib/keep/index.ts';

/** An outage that collects what it reports. */
export function outageOf(what = 'the store'): { outage: Outage; lines: string[] } {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  return { outage: new Outage(what, { info: write, warning: write }), lines };
}
