import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { writeImages } from '../../examples/demo-application/image.mjs';
import { startLoad } from '../load.ts';
import { cluster, data, end, endpointFile, env, pause, print, root, say, until } from './shell.ts';

const APPLICATION = 'demo-application';
const DOMAIN = 'example.test';
const OLD = `${APPLICATION}-v0.1.0`;
const NEW = `${APPLICATION}-v0.2.0`;

interface Machine {
  readonly name: string;
  readonly address: string;
}

interface Answer {
  readonly status: number;
  readonly version: string;
  readonly container: string;
}

/** The whole talk: etcd, gateways, registrators and two versions of the application on these machines. */
export async function playTalk(machines: readonly Machine[]): Promise<void> {
  await etcdOn(machines);
  await servicesOn();
  await applicationOn(machines);
  await through(machines);
  await sickness(machines);
  await blueGreen(machines);
}

/** Slide 7: etcd on the machines. The first registry, in a file here, moves there. */
async function etcdOn(machines: readonly Machine[]): Promise<void> {
  say('etcd, one member on every machine, is a global unit like any other:');
  const members = machines.map(({ name, address }) => `${name}=http://${address}:2380`).join(',');
  const text = await readFile(join(root, 'examples/units/etcd-member.service'), 'utf8');
  const file = join(data, 'etcd-member.service');
  await writeFile(file, text.replace(/^Environment=MEMBERS=.*$/m, `Environment=MEMBERS=${members}`));
  const endpoints = machines.map(({ address }) => `http://${address}:2379`).join(',');
  await cluster(['start', '--replace', file]);
  if (env.CLUSTER_ENDPOINT !== undefined) return;
  say(
    'So far the registry was a file on this computer. It moves to that etcd, for gateways and for colleagues:',
  );
  // Written first: a run that ends in between looks there, and comes back here where nothing arrived.
  await writeFile(endpointFile, endpoints);
  await cluster(['registry', 'copy', '--to', endpoints]);
  env.CLUSTER_ENDPOINT = endpoints;
}

/** Slides 6 and 8: registrator and load balancer on every machine, as global units. */
async function servicesOn(): Promise<void> {
  say('The machines have no Node: our own processes come as one self-contained release.');
  await cluster(['machine', 'install']);
  await cluster(['start', join(root, 'units/gateway.service'), join(root, 'units/registrator.service')]);
}

/** Slide 9: containers as template units, two versions side by side. */
async function applicationOn(machines: readonly Machine[]): Promise<void> {
  const present = await Promise.all(
    machines.map(({ address }) =>
      cluster(['ssh', address, '--', 'docker', 'images', '-q', APPLICATION], { show: false }),
    ),
  );
  if (present.some((ids) => ids.trim().split('\n').length < 2)) {
    say('The image of the demo application is made here, from local parts, and sent to the machines ...');
    const tar = join(data, `${APPLICATION}.tar`);
    await writeImages(tar, ['0.1.0', '0.2.0']);
    await Promise.all(
      machines.map(({ address }) =>
        cluster(['ssh', address, '--', 'docker', 'load', '-q'], { show: false, stdin: tar }),
      ),
    );
  }
  say('Two versions, two instances of each; Conflicts= keeps the instances of a version apart:');
  const folder = join(root, 'examples/demo-application');
  await cluster(['start', join(folder, `${OLD}@<1..2>.service`), join(folder, `${NEW}@<1..2>.service`)]);
  await cluster(['list-units']);
}

/** Slides 10 to 13: the keys, every host name through every gateway, and the operator's own frontend. */
async function through(machines: readonly Machine[]): Promise<void> {
  say('The registrators announced them when their /health said so. Their keys are those of vulcand:');
  await until('the announcement of all instances', 30, async () =>
    (await names(machines)).every(({ status }) => status === 200) ? true : undefined,
  );
  const etcdctl = (key: string): string[] => [
    ...[
      'ssh',
      machines[0]?.address ?? '',
      '--',
      'env',
      'ETCDCTL_API=3',
      'etcdctl',
      'get',
      '--print-value-only',
      key,
    ],
  ];
  for (const key of [
    `/vulcand/frontends/${NEW}/frontend`,
    `/vulcand/frontends/${NEW}@1/frontend`,
    `/vulcand/backends/${NEW}/servers/${NEW}@1`,
  ])
    await cluster(etcdctl(key));
  say("The frontend that people use is the operator's own:");
  const route = `Host(\`${APPLICATION}.${DOMAIN}\`) && PathRegexp(\`.*\`)`;
  await cluster(['frontend', 'upsert', '-id', `${APPLICATION}.${DOMAIN}`, '-b', OLD, '-route', route]);
  await cluster(['frontend', 'ls']);
  say('Every name through each of the three gateways:');
  for (const { name, gateway, status, version, container } of await names(machines))
    print(`  ${name.padEnd(48)} ${gateway.padEnd(15)} ${status} version ${version} of ${container}`);
}

async function names(machines: readonly Machine[]): Promise<(Answer & { name: string; gateway: string })[]> {
  const hosts = [OLD, NEW].flatMap((version) => [
    `${version}.${DOMAIN}`,
    `instance-1.${version}.${DOMAIN}`,
    `instance-2.${version}.${DOMAIN}`,
  ]);
  return Promise.all(
    hosts.flatMap((name) =>
      machines.map(async ({ address }) => ({ name, gateway: address, ...(await ask(address, name)) })),
    ),
  );
}

/** Slide 12: an instance that is sick leaves the rotation, and comes back. */
async function sickness(machines: readonly Machine[]): Promise<void> {
  const gateway = machines[0]?.address ?? '';
  const servers = async (): Promise<string[]> => {
    const rows = JSON.parse(await cluster(['server', 'ls', '-b', NEW, '--json'], { show: false })) as {
      Id: string;
    }[];
    return rows.map(({ Id }) => Id);
  };
  const set = (health: boolean) =>
    ask(gateway, `instance-1.${NEW}.${DOMAIN}`, '/api/health', JSON.stringify({ health }));
  say(`Making ${NEW}@1 sick by its REST API ...`);
  let start = Date.now();
  await set(false);
  await until('that it leaves the rotation', 15, async () =>
    (await servers()).includes(`${NEW}@1`) ? undefined : true,
  );
  print(`  out of the rotation ${((Date.now() - start) / 1000).toFixed(1)} s later`);
  start = Date.now();
  await set(true);
  await until('that it comes back', 15, async () =>
    (await servers()).includes(`${NEW}@1`) ? true : undefined,
  );
  print(`  well again, and back ${((Date.now() - start) / 1000).toFixed(1)} s later`);
  await cluster(['journal', '--lines', '200', 'registrator.service'], { show: false }).then((text) => {
    for (const line of text
      .split('\n')
      .filter((item) => item.includes(`check ${NEW}@1 `))
      .slice(-2))
      print(`  ${line}`);
  });
}

/** Slide 13: from v0.1.0 to v0.2.0 while people use it. */
async function blueGreen(machines: readonly Machine[]): Promise<void> {
  const name = `${APPLICATION}.${DOMAIN}`;
  say(`Switching ${name} from v0.1.0 to v0.2.0, while 12 connections keep asking all gateways:`);
  const load = startLoad(
    machines.map(({ address }) => ({ address, port: 80 })),
    { host: name },
  );
  await pause(1500);
  await cluster(['frontend', 'upsert', '-b', 'v0.2.0']);
  const returned = performance.now();
  await pause(1500);
  const { sent, failed, reasons, versions } = await load.stop();
  const old = versions.get('0.1.0');
  const late = old === undefined ? Number.NaN : old.last - returned;
  print('');
  for (const [version, { answers }] of [...versions].sort()) print(`  answers of ${version}:  ${answers}`);
  print(`  requests sent:     ${sent}`);
  print(`  failed:            ${failed}${failed > 0 ? ` (${reasons.join('; ')})` : ''}`);
  print(
    `  last answer of the old version: ${late <= 0 ? `${Math.round(-late)} ms before` : `${Math.round(late)} ms after`} the command's return`,
  );
  if (failed > 0) end('requests failed during the switch');
  await cluster(['frontend', 'history', name]);
  await cluster(['frontend', 'rollback', name]);
}

function ask(address: string, host: string, path = '/', post?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      host,
      accept: 'application/json',
      ...(post !== undefined && { 'content-type': 'application/json' }),
    };
    const made = request(
      { host: address, port: 80, path, headers, agent: false, method: post === undefined ? 'GET' : 'POST' },
      (answer) => {
        answer.resume();
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            version: String(answer.headers['x-version'] ?? '-'),
            container: String(answer.headers['x-container'] ?? '-').slice(0, 12),
          }),
        );
      },
    );
    made.setTimeout(5000, () => made.destroy(new Error('no answer')));
    made.on('error', reject);
    made.end(post);
  });
}
