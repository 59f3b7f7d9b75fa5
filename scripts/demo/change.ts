import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startLoad } from '../load.ts';
import { cluster, data, end, pause, print, say } from './shell.ts';

interface Machine {
  readonly name: string;
  readonly address: string;
}

const RANGE = 'steady@<1..3>.service';

/** A bad version takes one instance down and no more; the former one comes back by one command. */
export async function playRollout(): Promise<void> {
  const file = join(data, RANGE);
  const version = (command: string) =>
    writeFile(join(data, 'steady@.service'), `[Service]\nExecStart=${command}\n`);
  await cluster(['destroy', 'steady@*'], { show: false, mayFail: true });
  await version('/bin/sleep infinity');
  await cluster(['start', file]);

  say(
    'A version that dies after a second and a half: the rollout halts at the first machine, the others keep theirs.',
  );
  await version("/bin/sh -c 'sleep 1.5; echo out of luck; exit 1'");
  await cluster(['start', '--replace', '--min-healthy', '3s', file], { mayFail: true });
  say('The former file comes back, by the same rollout:');
  await cluster(['rollout', 'rollback']);
  await cluster(['rollout', 'show']);
  await cluster(['history', 'steady@']);
}

/** A machine is emptied while people use what runs there. */
export async function playDrain(machines: readonly Machine[], unit: string, host: string): Promise<void> {
  const rows = JSON.parse(await cluster(['list-units', '--json', unit], { show: false })) as {
    machine: { id: string; address: string };
  }[];
  const here = rows[0]?.machine;
  if (here === undefined) end(`${unit} is on no machine`);
  say(`Draining the machine of ${unit}, while 12 connections keep asking the gateways of the others:`);
  const others = machines.filter(({ address }) => address !== here.address);
  const load = startLoad(
    others.map(({ address }) => ({ address, port: 80 })),
    { host },
  );
  await pause(1000);
  await cluster(['machine', 'drain', '--min-healthy', '2s', here.id], { mayFail: true });
  say(
    'One instance of demo@ has no place elsewhere, by its Conflicts=. With --force it waits until it has one:',
  );
  await cluster(['machine', 'drain', '--min-healthy', '2s', '--force', here.id]);
  await pause(1000);
  const { sent, failed, reasons } = await load.stop();
  print(`\n  requests sent:     ${sent}`);
  print(`  failed:            ${failed}${failed > 0 ? ` (${reasons.join('; ')})` : ''}`);
  if (failed > 0) end('requests failed while the machine was drained');

  await cluster(['list-machines', '--fields', 'machine,ip,state']);
  say('The machine may have units again:');
  await cluster(['machine', 'uncordon', here.id]);
  await cluster(['reconcile']);
}
