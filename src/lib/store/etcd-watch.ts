import { on } from 'node:events';
import type { IEvent, IWatchResponse } from 'etcd3';
import type { EtcdClient } from './etcd-client.ts';
import { prefixEnd } from './limits.ts';
import type { Revision } from './port.ts';

/**
 * One watch stream: each answer's events together (etcd never splits a revision over two answers), `compacted` when the
 * history after `after` is gone. Throws
 * a ClusterError when the stream ends for any other reason; the next one is on another endpoint then.
 */
export async function* watchOnce(
  client: EtcdClient,
  prefix: string,
  after: Revision,
  signal: AbortSignal,
): AsyncGenerator<readonly IEvent[] | 'compacted'> {
  const { stream, endpoint, release } = await client.watchStream();
  const cancel = (): void => stream.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const emitter = stream as unknown as NodeJS.EventEmitter;
    const answers = on(emitter, 'data', { close: ['end'] });
    stream.write({
      create_request: {
        key: prefix === '' ? Buffer.from([0]) : Buffer.from(prefix),
        range_end: prefixEnd(prefix) ?? Buffer.from([0]),
        start_revision: after + 1,
      },
    });
    for await (const [answer] of answers as AsyncIterable<[IWatchResponse]>) {
      if (answer.canceled) {
        if (Number(answer.compact_revision) > 0) return yield 'compacted';
        throw new Error(answer.cancel_reason || 'etcd ended the watch');
      }
      if (answer.events.length > 0) yield answer.events;
    }
    throw new Error('etcd ended the stream');
  } catch (error) {
    const failure = client.error(error, endpoint);
    if (!signal.aborted) client.streamFailed(endpoint);
    throw failure;
  } finally {
    release();
    signal.removeEventListener('abort', cancel);
    // A cancelled call reports its end as an error, which nobody waits for any more.
    stream.on('error', () => undefined);
    stream.cancel();
  }
}
