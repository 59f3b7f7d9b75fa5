import { type Duplex, Readable } from 'node:stream';
import type Dockerode from 'dockerode';
import { ClusterError } from '../../error.ts';
import { isObject } from '../../traffic/index.ts';
import type { Container } from '../offers/model.ts';
import { readContainer } from './container.ts';
import type { ContainerEvent, ContainerRuntime } from './port.ts';

const ANSWER_MS = 10_000;

/**
 * Docker at `unix:///path` or `tcp://host:port`. Nothing is sent yet.
 * @throws `bad-docker` for another address.
 */
export async function openDocker(address: string): Promise<ContainerRuntime> {
  const where = readAddress(address);
  // It loads much that no other command needs.
  const { default: Client } = await import('dockerode');
  // No timeout on the socket: the stream of events is silent while nothing happens.
  return new Docker(new Client(where));
}

function readAddress(
  address: string,
): { socketPath: string } | { protocol: 'http'; host: string; port: number } {
  const path = /^(?:unix:\/\/)?(\/[^\0]+)$/.exec(address)?.[1];
  if (path !== undefined) return { socketPath: path };
  const [, host, port] = /^tcp:\/\/(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})\/?$/.exec(address) ?? [];
  if (host !== undefined) return { protocol: 'http', host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  throw new ClusterError('bad-docker', `${JSON.stringify(address)} is not an address of Docker`, {
    hint: 'such as unix:///var/run/docker.sock or tcp://127.0.0.1:2375',
  });
}

class Docker implements ContainerRuntime {
  readonly #docker: Dockerode;
  /** Commands that did not end in time and may still be running. */
  readonly #late = new Map<string, Dockerode.Exec>();

  constructor(docker: Dockerode) {
    this.#docker = docker;
  }

  async list(): Promise<readonly string[]> {
    const found = await this.#docker.listContainers({ abortSignal: AbortSignal.timeout(ANSWER_MS) });
    return found.map(({ Id }) => Id);
  }

  async inspect(id: string): Promise<Container | null> {
    try {
      const options = { abortSignal: AbortSignal.timeout(ANSWER_MS) };
      return readContainer(await this.#docker.getContainer(id).inspect(options));
    } catch (error) {
      if (isObject(error) && error.statusCode === 404) return null;
      throw error;
    }
  }

  async *events(signal: AbortSignal, listening: () => void): AsyncIterable<ContainerEvent> {
    // dockerode passes the signal on, though its types do not say so.
    const options = { filters: { type: ['container' as const] }, abortSignal: signal };
    const stream = await this.#docker.getEvents(options);
    if (!(stream instanceof Readable)) throw new Error('Docker did not answer with a stream of events');
    const end = (): void => void stream.destroy();
    signal.addEventListener('abort', end, { once: true });
    try {
      listening();
      for await (const line of lines(stream)) {
        const event = readEvent(line);
        if (event !== null) yield event;
      }
    } finally {
      signal.removeEventListener('abort', end);
      stream.destroy();
    }
  }

  async exec(
    id: string,
    command: readonly string[],
    env: readonly string[],
    timeoutMs: number,
  ): Promise<number | null> {
    const abortSignal = AbortSignal.timeout(timeoutMs);
    const key = JSON.stringify([id, command]);
    let stream: Duplex | undefined;
    try {
      // Docker cannot end such a command, and a second one beside it would make things worse.
      const late = this.#late.get(key);
      if (late !== undefined && (await late.inspect({ abortSignal })).Running) return null;
      const exec = await this.#docker.getContainer(id).exec({
        Cmd: [...command],
        Env: [...env],
        AttachStdout: true,
        AttachStderr: true,
        abortSignal,
      });
      this.#late.set(key, exec);
      stream = await exec.start({ abortSignal });
      await ended(stream, abortSignal);
      const { ExitCode } = await exec.inspect({ abortSignal });
      this.#late.delete(key);
      return ExitCode;
    } catch (error) {
      if (abortSignal.aborted) return null;
      this.#late.delete(key);
      throw error;
    } finally {
      stream?.destroy();
    }
  }
}

/** The output itself does not matter. */
function ended(stream: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    for (const name of ['end', 'close'] as const) stream.on(name, () => resolve());
    stream.on('error', reject).resume();
  });
}

async function* lines(stream: Readable): AsyncIterable<string> {
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    rest += chunk;
    const parts = rest.split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
}

function readEvent(line: string): ContainerEvent | null {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isObject(event)) return null;
  const actor = isObject(event.Actor) ? event.Actor : {};
  const attributes = isObject(actor.Attributes) ? actor.Attributes : {};
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  const action = text(event.Action) ?? text(event.status);
  const id = text(actor.ID) ?? text(event.id);
  if (action === null || id === null) return null;
  const code = Number(text(attributes.exitCode) ?? Number.NaN);
  return {
    // `health_status: healthy`, `exec_start: sh -c ...`
    action: action.split(':')[0] ?? action,
    id,
    signal: text(attributes.signal),
    exitCode: Number.isInteger(code) ? code : null,
  };
}
