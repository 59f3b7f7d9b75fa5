import type { EtcdClient } from './etcd-client.ts';
import { type WatchEvent, watchRequest, watchResponse } from './etcd-messages.ts';
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
): AsyncGenerator<readonly WatchEvent[] | 'compacted'> {
  const { stream, endpoint, release } = await client.watchStream();
  const cancel = (): void => stream.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const start = prefix === '' ? Buffer.from([0]) : Buffer.from(prefix);
    stream.send(watchRequest(start, prefixEnd(prefix) ?? Buffer.from([0]), after + 1));
    for await (const message of stream.messages) {
      const answer = watchResponse(message);
      if (answer.canceled) {
        if (answer.compactRevision > 0) return yield 'compacted';
        throw new Error(answer.cancelReason || 'etcd ended the watch');
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
    stream.cancel();
  }
}
