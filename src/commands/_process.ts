import { ClusterError, EXIT } from '../lib/error.ts';

/** Aborts when this process is asked to end. */
export function untilSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

/** Runs what only Ctrl-C ends. @throws ClusterError `interrupted` (exit 130) when it did. */
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  await work(stop.signal);
  if (stop.signal.aborted) throw new ClusterError('interrupted', 'interrupted', { exit: EXIT.interrupted });
}
