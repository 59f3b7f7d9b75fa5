import { execFileSync } from 'node:child_process';
import { expect } from 'vitest';
import { type LabMachine, labSshArgs } from '../../src/lib/lab/real/index.ts';
import { type Workplace, workplace } from '../support/cli.ts';
import { machinesOf, real, withRealLab } from '../support/real.ts';

const NAME = 'logins';
let machine: LabMachine;
let at: Workplace;

const asRoot = (command: string): string =>
  execFileSync('ssh', [...labSshArgs(machine), command], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
const add = (user = 'admin', ...more: string[]) =>
  at.run('machine', 'add', '--take-over', `${user}@${machine.address}`, ...more);

withRealLab(NAME, ['--machines', '1'], async (lab) => {
  machine = (await machinesOf(lab, NAME))[0] as LabMachine;
  at = await workplace({
    CLUSTER_SSH_IDENTITY: machine.identity,
    CLUSTER_KNOWN_HOSTS_FILE: machine.knownHosts,
  });
});

/** Runs `work` with these lines as sshd's first. */
async function withSshd(lines: string, work: () => Promise<void>): Promise<void> {
  const file = '/etc/ssh/sshd_config.d/00-test.conf';
  const reload = async (change: string): Promise<void> => {
    asRoot(`${change} && systemctl reload ssh`);
    // It listens anew a moment later.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await expect.poll(() => asRoot('echo up')).toBe('up\n');
  };
  await reload(`printf '${lines}\\n' > ${file}`);
  try {
    await work();
  } finally {
    await reload(`rm ${file}`);
  }
}

real('sudo that does not serve us is named with its cause', async () => {
  const rules = '/etc/sudoers.d/admin';
  const cases: readonly (readonly [string, RegExp, RegExp])[] = [
    [
      'Defaults:admin requiretty\nadmin ALL=(ALL) NOPASSWD: ALL',
      /without a terminal \(requiretty\)/,
      /!requiretty/,
    ],
    ['admin ALL=(ALL) NOPASSWD: /usr/bin/systemctl', /allows admin some commands only/, /NOPASSWD: ALL/],
    ['admin ALL=(ALL) NOPASSWD: /usr/bin/true', /allows admin some commands only/, /NOPASSWD: ALL/],
    ['admin ALL=(ALL) ALL', /without a password/, /NOPASSWD: ALL/],
    ['', /not in the sudoers file|without a password/, /NOPASSWD: ALL/],
  ];
  const before = asRoot(`cat ${rules}`);
  try {
    for (const [text, message, hint] of cases) {
      asRoot(`cat > ${rules} <<'E'\n${text}\nE`);
      const ran = await add();
      expect(ran, text).toMatchObject({ code: 4, stdout: '' });
      expect(ran.stderr, text).toMatch(message);
      expect(ran.stderr, text).toMatch(hint);
    }
  } finally {
    asRoot(`cat > ${rules} <<'E'\n${before}E`);
  }
});

real('little that sshd allows is enough, for root and for sudo logins, by either transport', async () => {
  await at.file('little.service', '[Service]\nExecStart=/bin/sleep infinity\n');
  await withSshd('MaxSessions 1\\nDisableForwarding yes', async () => {
    for (const user of ['root', 'admin'])
      for (const transport of ['ssh2', 'openssh']) {
        at.env.CLUSTER_SSH_TRANSPORT = transport;
        const ran = await add(user);
        expect(ran, ran.stderr).toMatchObject({ code: 0 });
        await at.ok('start', 'little.service');
        expect((await at.ok('list-units', '--no-legend')).stdout).toMatch(/active +running/);
        expect((await at.ok('status', 'little')).stdout).toMatch(/Active: active/);
        await at.ok('destroy', 'little.service');
        await at.ok('machine', 'rm', machine.id.slice(0, 8));
      }
  });
  delete at.env.CLUSTER_SSH_TRANSPORT;
});

real('a login shell that prints, and a command as ssh passes it', async () => {
  asRoot(
    `printf 'echo Welcome\\necho oops >&2\\n' > /home/admin/.bashrc && cp /home/admin/.bashrc /root/.bashrc`,
  );
  for (const user of ['root', 'admin']) {
    const ran = await add(user);
    expect(ran, ran.stderr).toMatchObject({ code: 0 });
    await at.file('noisy.service', '[Service]\nExecStart=/bin/sleep infinity\n');
    await at.ok('start', 'noisy.service');
    expect((await at.ok('ssh', 'noisy', 'printf "a\\nb\\n" | wc -l')).stdout).toBe('Welcome\n2\n');
    await at.ok('destroy', 'noisy.service');
    await at.ok('machine', 'rm', machine.id.slice(0, 8));
  }
  asRoot('rm /home/admin/.bashrc /root/.bashrc');
});

real('a host key that one operator accepts is enough for others', async () => {
  await at.ok('machine', 'add', '--take-over', `root@${machine.address}`, '--share-host-key');
  const shown = await at.ok('machine', 'show', machine.id.slice(0, 8));
  expect(shown.stdout).toMatch(/shared host key +ssh-ed25519 SHA256:/);
  const other = await workplace({
    CLUSTER_SSH_IDENTITY: machine.identity,
    CLUSTER_DATA_DIR: at.env.CLUSTER_DATA_DIR,
  });
  try {
    for (const transport of ['ssh2', 'openssh'])
      expect(
        (await other.ok('ssh', machine.id.slice(0, 8), 'echo', 'in', '--ssh-transport')).stdout,
        transport,
      ).toBe('in --ssh-transport\n');
    const there = await other.ok('ssh', '--ssh-transport', 'openssh', machine.id.slice(0, 8), 'id', '-un');
    expect(there.stdout).toBe('root\n');
    await other.file('known', `${machine.address} ${WRONG}\n`);
    const refused = await other.run(
      'ssh',
      '--known-hosts-file',
      `${other.dir}/known`,
      machine.id.slice(0, 8),
      'true',
    );
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(/has changed/);
  } finally {
    await other.remove();
    await at.ok('machine', 'rm', machine.id.slice(0, 8));
  }
});

const WRONG = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcVPGpJwhLwzUmbPTvnzvM7MB6bXcKGWFVQdQ0cSCXb';
