import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { startLoad } from '../scripts/load.ts';
import { ENTRY, type Figure, median, run, withEnd } from './proc.ts';

const HOST = 'demo-application.example.test';
const NEW = 'demo-application-v0.2.0';
const SWITCHES = 20;
const DEMO = fileURLToPath(new URL('../scripts/demo.mjs', import.meta.url));
const UNIT = fileURLToPath(new URL(`../examples/demo-application/${NEW}@3.service`, import.meta.url));

/** Switches under load over three gateways on real machines, and the way of a container to its first request. */
export async function benchTalk(): Promise<Figure[]> {
  const dir = await mkdtemp(join(tmpdir(), 'cluster-benchtalk-'));
  const clean = Object.entries(process.env).filter(([key]) => !key.startsWith('CLUSTER_'));
  let env: NodeJS.ProcessEnv = {
    ...Object.fromEntries(clean),
    CLUSTER_DATA_DIR: join(dir, 'data'),
    CLUSTER_LAB_NAME: 'benchtalk',
  };
  const ours = (...args: string[]) => run(process.execPath, [ENTRY, ...args], { cwd: dir, env });
  const work = async (): Promise<Figure[]> => {
    await ours('lab', 'down');
    await run(process.execPath, [DEMO], { cwd: dir, env });
    env = { ...env, CLUSTER_ENDPOINT: await readFile(join(dir, 'data', 'endpoint'), 'utf8') };
    const machines = JSON.parse((await ours('lab', 'status', '--json')).stdout) as { address: string }[];
    const gateways = machines.map(({ address }) => ({ address, port: 80 }));
    const late: number[] = [];
    let failed = 0;
    for (let n = 0; n < SWITCHES; n++) {
      const [from, to] = n % 2 === 0 ? ['0.1.0', '0.2.0'] : ['0.2.0', '0.1.0'];
      const load = startLoad(gateways, { host: HOST, connections: 6 });
      await pause(300);
      await ours('frontend', 'upsert', '-b', `v${to}`);
      const returned = performance.now();
      await pause(300);
      const report = await load.stop();
      failed += report.failed;
      late.push((report.versions.get(from)?.last ?? returned) - returned);
    }
    const first: number[] = [];
    for (let n = 0; n < 3; n++) first.push(await firstRequest(ours, gateways[0]?.address ?? ''));
    const line = (figure: string, unit: 'ms', value: number, aim: number | null): Figure => {
      return { figure, unit, ours: value, floor: null, aim };
    };
    return [
      line(`last old answer after ${SWITCHES} switches returned, worst`, 'ms', Math.max(0, ...late), 100),
      { figure: '  failed requests', unit: 'count', ours: failed, floor: null, aim: 0 },
      line('container started until its first request', 'ms', median(first), null),
    ];
  };
  return withEnd(work, () => ours('lab', 'down').finally(() => rm(dir, { recursive: true, force: true })));
}

/** From Docker's own word on when it started; the machines share this computer's clock. */
async function firstRequest(
  ours: (...args: string[]) => Promise<{ stdout: string }>,
  gateway: string,
): Promise<number> {
  let answered = 0;
  const asking = (async () => {
    for (const until = Date.now() + 30_000; Date.now() < until; await pause(5)) {
      if ((await status(gateway)) !== 200) continue;
      answered = Date.now();
      return;
    }
    throw new Error('the container was never reached');
  })();
  await ours('start', UNIT);
  await asking;
  const inspect = ['docker', 'inspect', '-f', '{{.State.StartedAt}}', `${NEW}-3`];
  const { stdout } = await ours('ssh', `${NEW}@3.service`, '--', ...inspect);
  await ours('destroy', `${NEW}@3.service`);
  for (
    const until = Date.now() + 15_000;
    Date.now() < until && (await status(gateway)) === 200;
    await pause(50)
  );
  return answered - Date.parse(stdout.trim());
}

function status(gateway: string): Promise<number> {
  return new Promise((resolve) => {
    const headers = { host: `instance-3.${NEW}.example.test` };
    const made = request({ host: gateway, port: 80, headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    made.on('error', () => resolve(0));
    made.end();
  });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
