import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type LabMachine, labSshArgs } from '../../src/lib/lab/real/index.ts';
import { type Ran, workplace } from '../support/cli.ts';
import { machinesOf, real, withRealLab } from '../support/real.ts';

const NAME = 'reach';
let machines: LabMachine[];
const first = (): LabMachine => machines[0] as LabMachine;
const root = (): string => `root@${first().address}`;

/** One error of one line, and one line of what to try. */
function complains(ran: Ran, code: number, message: RegExp): void {
  expect(ran.stderr).toMatch(message);
  expect(ran.stderr).toMatch(/^Error: .*\n {2}try: .*\n$/);
  expect(ran).toMatchObject({ code, stdout: '' });
}

withRealLab(NAME, ['--machines', '2'], async (at) => {
  machines = await machinesOf(at, NAME);
});

/** A real ssh-agent with the lab's key in it; the key's file is not known to those who use the agent. */
async function agent(socket: string): Promise<ChildProcess> {
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  await expect.poll(() => existsSync(socket)).toBe(true);
  execFileSync('ssh-add', ['-q', first().identity], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
  return child;
}

real('a key that only ssh-agent has lets in, and is lent to a machine when asked for only', async () => {
  const plain = await workplace({ CLUSTER_KNOWN_HOSTS_FILE: first().knownHosts });
  const socket = join(plain.dir, 'agent');
  const running = await agent(socket);
  const mine = await workplace({ CLUSTER_KNOWN_HOSTS_FILE: first().knownHosts, SSH_AUTH_SOCK: socket });
  try {
    complains(await plain.run('machine', 'add', root()), 4, /there is no key to try/);
    await mine.ok('machine', 'add', '--take-over', root());
    await mine.file('by-agent.service', '[Service]\nExecStart=/bin/sleep infinity\n');
    await mine.ok('start', 'by-agent.service');
    const key = readFileSync(`${first().identity}.pub`, 'utf8').split(' ')[1];
    const lent = await mine.ok('ssh', '--forward-agent', first().id, '--', 'ssh-add', '-L');
    expect(lent.stdout.split(' ')[1]).toBe(key);
    expect((await mine.ok('ssh', '-A', 'by-agent.service', '--', 'ssh-add', '-L')).stdout).toBe(lent.stdout);
    const kept = await mine.run('ssh', first().id, '--', 'ssh-add', '-L');
    expect(kept).toMatchObject({ code: 2, stdout: '' });
    expect(kept.stderr).toMatch(/authentication agent/);
    await mine.ok('destroy', 'by-agent.service');
  } finally {
    running.kill();
    await mine.remove();
    await plain.remove();
  }
});

const ETCD =
  'cat >/run/etcd && chmod +x /run/etcd && systemd-run -q --unit=etcd-lab /run/etcd --data-dir=/run/etcd-data --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 --listen-peer-urls=http://127.0.0.1:2380';

real('etcd on the loopback of a machine is reached through --tunnel', async () => {
  const binary = execFileSync('sh', ['-c', 'command -v etcd'], { encoding: 'utf8' }).trim();
  execFileSync('ssh', [...labSshArgs(first()), ETCD], { input: readFileSync(binary) });
  const access = { CLUSTER_SSH_IDENTITY: first().identity, CLUSTER_KNOWN_HOSTS_FILE: first().knownHosts };
  const mine = await workplace(access);
  const etcd = ['--endpoint', 'http://127.0.0.1:2379'];
  const tunnel = ['--tunnel', root(), ...etcd];
  try {
    await expect.poll(async () => (await mine.run('list-machines', ...tunnel)).code).toBe(0);
    const added = machines.map(({ address }) => `root@${address}`);
    await mine.ok('machine', 'add', '--take-over', ...added, ...tunnel);
    await mine.file('tunnelled@.service', '[Service]\nExecStart=/bin/sleep infinity\n');
    await mine.ok(...tunnel, 'start', 'tunnelled@<1..2>.service');
    const { stdout } = await mine.ok(...tunnel, 'list-units', '--fields', 'unit,active', '--no-legend');
    expect(stdout).toMatch(/^tunnelled@1\.service +active\ntunnelled@2\.service +active\n$/);
    // It is etcd that knows it, not a store of this computer, and a variable does as well as the flag.
    expect((await mine.ok('list-units', '--no-legend')).stdout).toBe('');
    const byVariable = await workplace({
      ...access,
      CLUSTER_TUNNEL: root(),
      CLUSTER_ENDPOINT: etcd[1],
    });
    expect((await byVariable.ok('list-units', '--fields=unit,active', '--no-legend')).stdout).toBe(stdout);
    await byVariable.remove();

    const wrong = (machine: string, ...more: string[]): Promise<Ran> =>
      mine.run('list-units', '--tunnel', machine, ...etcd, '--ssh-timeout', '5s', ...more);
    complains(
      await wrong(`${root()}:23`),
      4,
      /on the way to etcd: machine .* cannot be reached: connection refused/,
    );
    complains(await wrong(`nobody@${first().address}`), 4, /on the way to etcd: .* does not let nobody in/);
    complains(
      await wrong('root@no-such-machine.invalid'),
      4,
      /on the way to etcd: machine no-such-machine\.invalid cannot be reached/,
    );
    const elsewhere = await mine.run('list-units', '--tunnel', root(), '--endpoint', 'http://127.0.0.1:2999');
    complains(elsewhere, 5, /etcd cannot be reached at http:\/\/127\.0\.0\.1:2999 through root@/);
    await mine.ok('destroy', 'tunnelled@*', ...tunnel);
  } finally {
    execFileSync('ssh', [...labSshArgs(first()), 'systemctl stop etcd-lab; rm -rf /run/etcd /run/etcd-data']);
    await mine.remove();
  }
});
