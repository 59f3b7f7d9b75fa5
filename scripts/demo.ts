import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { labPossible } from '../src/lib/lab/real/index.ts';
import { playDrain, playRollout } from './demo/change.ts';
import { cluster, data, endpointFile, env, root, say } from './demo/shell.ts';
import { playTalk } from './demo/talk.ts';
import { playUnits } from './demo/units.ts';

/** Machines of an earlier run are gone with their etcd; what was written about them helps nobody. */
async function forgetGone(): Promise<void> {
  const running = JSON.parse(await cluster(['lab', 'status', '--json'], { show: false })) as unknown[];
  if (running.length === 0) rmSync(data, { recursive: true, force: true });
  mkdirSync(data, { recursive: true });
}

/** An earlier run has moved the registry to the machines' etcd already. */
async function useEtcd(): Promise<void> {
  if (!existsSync(endpointFile)) return;
  env.CLUSTER_ENDPOINT = readFileSync(endpointFile, 'utf8');
  const units = await cluster(['list-unit-files', '--no-legend'], { show: false, mayFail: true });
  if (units !== '') return;
  delete env.CLUSTER_ENDPOINT;
  await cluster(['registry', 'reopen'], { show: false });
}

await forgetGone();
const why = labPossible();
if (why === null) {
  say('Making three real machines with Docker (the first time this takes two or three minutes) ...');
  const up = await cluster(['lab', 'up', '--machines', '3', '--docker', '--json'], { show: false });
  await useEtcd();
  await playUnits(true);
  const machines = JSON.parse(up) as { name: string; address: string }[];
  await playTalk(machines);
  await playRollout();
  await playDrain(machines, 'demo-application-v0.1.0@1.service', 'demo-application.example.test');
} else {
  say(`Real machines cannot run here (${why}); the units half on hollow ones, whose systemd is simulated.`);
  await cluster(['lab', 'up', '--hollow', '3']);
  await playUnits(false);
}

say('What to try next:');
const endpoint = env.CLUSTER_ENDPOINT === undefined ? '' : ` CLUSTER_ENDPOINT=${env.CLUSTER_ENDPOINT}`;
process.stdout.write(`  export CLUSTER_DATA_DIR=${data} CLUSTER_LAB_NAME=demo${endpoint}
  alias cluster=${join(root, 'bin', 'run.js')}
  cluster journal --follow 'demo@*'        # one stream from all machines
  cluster status demo@2
  cluster ssh demo@3
  cluster plan --json 'examples/units/demo@<4..5>.service'   # says which rule excludes which machine
${why === null ? '  cluster gateway top\n  cluster frontend upsert -b v0.2.0\n' : ''}  cluster help

Remove all of it:
  cluster lab down && rm -r ${data}
`);
