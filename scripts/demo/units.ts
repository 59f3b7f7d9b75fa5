import { join } from 'node:path';
import { cluster, end, pause, root, say } from './shell.ts';

const units = join(root, 'examples', 'units');

/** The units half of the talk: fleet's rules on machines that are there already, real or hollow. */
export async function playUnits(real: boolean): Promise<void> {
  await cluster(['list-machines']);
  say('A global unit runs on every machine:');
  await cluster(['start', join(units, 'watch.service')]);
  say('Three instances of one template; Conflicts= spreads them:');
  await cluster(['start', join(units, 'demo@<1..3>.service')]);
  say('A sidekick follows its leader by MachineOf=:');
  await cluster(['start', join(units, 'presence@1.service')]);
  await cluster(['list-units']);
  if (real) await killed('demo@1.service');
  say('The same plan again finds nothing to do:');
  await cluster(['reconcile']);
}

async function killed(unit: string): Promise<void> {
  const show = ['ssh', unit, '--', 'systemctl', 'show', '-p', 'MainPID', '--value', unit];
  const pid = async (): Promise<string> => (await cluster(show, { show: false })).trim();
  const before = await pid();
  say(`Killing the process of ${unit} (pid ${before} on its machine) ...`);
  await cluster(['ssh', unit, '--', 'kill', '-9', before], { show: false });
  const start = Date.now();
  while (Date.now() - start < 15_000) {
    await pause(100);
    const now = await pid();
    if (now === '0' || now === before) continue;
    say(`systemd brought it back: pid ${now}, ${((Date.now() - start) / 1000).toFixed(1)} s later.`);
    return;
  }
  end(`${unit} did not come back`);
}
