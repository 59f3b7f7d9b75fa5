import { Agent, request } from 'node:http';

export interface LoadTarget {
  readonly address: string;
  readonly port: number;
}

export interface LoadReport {
  readonly sent: number;
  readonly failed: number;
  /** The first few reasons. */
  readonly reasons: readonly string[];
  /** Answers by the version that gave them, and when (performance.now) its last one came. */
  readonly versions: ReadonlyMap<string, { readonly answers: number; readonly last: number }>;
  /** Of each answer, sorted. */
  readonly latencies: Float64Array;
  readonly seconds: number;
}

export interface Load {
  /** Lets what runs come to its end; nothing is cut off. */
  stop(): Promise<LoadReport>;
}

/**
 * Closed loop: each connection (keep-alive, spread over the targets) asks again as soon as it has its answer. An answer
 * other than 200 counts as failed. Versions are read from the header X-Version.
 */
export function startLoad(
  targets: readonly LoadTarget[],
  options: { readonly host: string; readonly path?: string; readonly connections?: number },
): Load {
  const { host, path = '/', connections = 12 } = options;
  const versions = new Map<string, { answers: number; last: number }>();
  const reasons: string[] = [];
  const latencies: number[] = [];
  let sent = 0;
  let failed = 0;
  let over = false;
  const started = performance.now();
  const fail = (reason: string): void => {
    failed++;
    if (reasons.length < 5) reasons.push(reason);
  };
  const one = (agent: Agent, { address, port }: LoadTarget): Promise<void> =>
    new Promise((resolve) => {
      sent++;
      const asked = performance.now();
      const made = request({ agent, host: address, port, path, headers: { host } }, (answer) => {
        const version = String(answer.headers['x-version'] ?? '?');
        answer.resume();
        answer.on('error', (error) => fail(error.message));
        answer.on('close', () => {
          const now = performance.now();
          latencies.push(now - asked);
          if (answer.statusCode !== 200) fail(`HTTP ${answer.statusCode} by ${address}`);
          else versions.set(version, { answers: (versions.get(version)?.answers ?? 0) + 1, last: now });
          resolve();
        });
      });
      made.on('error', (error) => {
        fail(`${error.message} (${address})`);
        resolve();
      });
      made.end();
    });
  const loop = async (target: LoadTarget): Promise<void> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!over) await one(agent, target);
    agent.destroy();
  };
  const loops = Array.from({ length: connections }, (_, i) => {
    const target = targets[i % targets.length];
    return target === undefined ? Promise.resolve() : loop(target);
  });
  return {
    stop: async () => {
      over = true;
      await Promise.all(loops);
      const sorted = Float64Array.from(latencies).sort();
      return {
        sent,
        failed,
        reasons,
        versions,
        latencies: sorted,
        seconds: (performance.now() - started) / 1000,
      };
    },
  };
}
