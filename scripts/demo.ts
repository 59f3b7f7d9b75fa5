import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { labPossible } from '../src/lib/lab/real/index.ts';

const root = join(import.meta.dirname, '..');
const data = process.env.CLUSTER_DATA_DIR ?? '/var/tmp/cluster-demo';
const units = join(root, 'examples', 'units');
const env = { ...process.env, CLUSTER_DATA_DIR: data, CLUSTER_LAB_NAME: 'demo' };

/** Runs one command as a user would type it, showing it first. @returns its output; ends the demo when it fails. */
function cluster(args: readonly string[], show = true): string {
  if (show) process.stdout.write(`\n${styleText('bold', `$ cluster ${args.map(shown).join(' ')}`)}\n`);
  const stdio = show ? (['ignore', 'pipe', 'inherit'] as const) : (['ignore', 'pipe', 'pipe'] as const);
  const result = spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...args], {
    env,
    stdio: [...stdio],
    encoding: 'utf8',
  });
  if (show) process.stdout.write(result.stdout);
  if (result.status !== 0) end(`cluster ${args[0]} ended with exit code ${result.status}`);
  return result.stdout;
}

function shown(arg: string): string {
  const short = arg.startsWith(root) ? arg.slice(root.length + 1) : arg;
  return /[<>*?{}]/.test(short) ? `'${short}'` : short;
}

function end(reason: string): never {
  process.stderr.write(`\nThe demo stopped: ${reason}\n`);
  process.exit(1);
}

function say(text: string): void {
  process.stdout.write(`\n${styleText('cyan', text)}\n`);
}

async function killed(unit: string): Promise<void> {
  const pid = (): string =>
    cluster(['ssh', unit, '--', 'systemctl', 'show', '-p', 'MainPID', '--value', unit], false).trim();
  const before = pid();
  say(`Killing the process of ${unit} (pid ${before} on its machine) ...`);
  cluster(['ssh', unit, '--', 'kill', '-9', before], false);
  for (let wait = 0; wait < 60; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const now = pid();
    if (now === '0' || now === before) continue;
    say(`systemd brought it back: pid ${now}, ${((wait + 1) * 0.25).toFixed(1)} s later.`);
    return;
  }
  end(`${unit} did not come back`);
}

mkdirSync(data, { recursive: true });
const why = labPossible();
if (why !== null)
  say(`Real machines cannot run here (${why}); the same on hollow ones, whose systemd is simulated.`);
else say('Making three real machines (the first time this takes a minute or two) ...');
cluster(why === null ? ['lab', 'up', '--machines', '3'] : ['lab', 'up', '--hollow', '3']);
cluster(['list-machines']);
say('A global unit runs on every machine:');
cluster(['start', join(units, 'watch.service')]);
say('Three instances of one template; Conflicts= spreads them:');
cluster(['start', join(units, 'demo@<1..3>.service')]);
say('A sidekick follows its leader by MachineOf=:');
cluster(['start', join(units, 'presence@1.service')]);
cluster(['list-units']);
if (why === null) await killed('demo@1.service');
say('The same plan again finds nothing to do:');
cluster(['reconcile']);
say('What to try next:');
process.stdout.write(`  export CLUSTER_DATA_DIR=${data} CLUSTER_LAB_NAME=demo
  alias cluster=${join(root, 'bin', 'run.js')}
  cluster journal --follow 'demo@*'        # one stream from all machines
  cluster status demo@2
  cluster ssh demo@3
  cluster plan --json 'examples/units/demo@<4..5>.service'   # says which rule excludes which machine
  cluster help

Remove all of it:
  cluster lab down && rm -r ${data}
`);
