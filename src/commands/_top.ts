import { setTimeout as sleep } from 'node:timers/promises';
import { Flags } from '@oclif/core';
import { type ClusterError, ClusterErrors } from '../lib/error.ts';
import { TrafficCommand } from './_traffic.ts';

export const topFlags = {
  limit: Flags.integer({
    description: 'how many rows of each to show; 0: all',
    default: 20,
    min: 0,
    env: 'CLUSTER_LIMIT',
  }),
  refresh: Flags.integer({
    description: 'seconds between updates; 0: print once, as when the output is not a terminal',
    default: 1,
    min: 0,
    env: 'CLUSTER_REFRESH',
  }),
};

/** What the gateways answered. */
interface Look {
  readonly json: unknown;
  readonly text: string;
  /** Gateways that did not answer; the answers of the others are printed all the same. */
  readonly errors: readonly ClusterError[];
}

export abstract class TopCommand extends TrafficCommand {
  /** Prints `look` once, or on a terminal repeatedly until Ctrl-C. */
  protected async watch(flags: { refresh: number; json: boolean }, look: () => Promise<Look>): Promise<void> {
    const again = flags.refresh > 0 && process.stdout.isTTY && !flags.json;
    do {
      const { json, text, errors } = await look();
      if (flags.json) this.printJson(json);
      else {
        if (again) this.printRaw('\u001b[H\u001b[2J');
        this.print(text);
      }
      if (errors.length > 0 && !again) throw new ClusterErrors(errors, flags.json);
      for (const error of errors) this.tell(error.message);
      if (again) await sleep(flags.refresh * 1000);
    } while (again);
  }
}
