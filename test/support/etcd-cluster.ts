import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './port.ts';

/** Real etcd members of our own on this computer's loopback. */
export interface EtcdCluster {
  readonly endpoints: readonly string[];
  /** Stops a member where it stands: its port stays open, and nobody answers. */
  freeze(member: number): void;
  thaw(member: number): void;
  /** The member that leads. */
  leader(): number;
  etcdctl(member: number, ...args: string[]): string;
  stop(): Promise<void>;
}

/** Starts three members, on these addresses of this computer, and waits until they have a leader. */
export async function startEtcdCluster(
  addresses: readonly string[] = ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
): Promise<EtcdCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'cluster-etcd3-'));
  const members = await Promise.all(
    addresses.map(async (address, number) => ({
      name: `m${number}`,
      client: `http://${address}:${await freePort()}`,
      peer: `http://${address}:${await freePort()}`,
    })),
  );
  const all = members.map(({ name, peer }) => `${name}=${peer}`).join(',');
  const children = members.map(({ name, client, peer }): ChildProcess => {
    const args = ['--name', name, '--data-dir', join(directory, name), '--initial-cluster', all];
    args.push('--listen-client-urls', client, '--advertise-client-urls', client);
    args.push('--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer);
    return spawn('etcd', [...args, '--logger', 'zap'], { stdio: 'ignore' });
  });
  const endpoints = members.map(({ client }) => client);
  const etcdctl = (member: number, ...args: string[]): string =>
    execFileSync('etcdctl', ['--endpoints', endpoints[member]!, ...args], {
      encoding: 'utf8',
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const leader = (): number =>
    members.findIndex((_, member) => / true,/.test(etcdctl(member, 'endpoint', 'status')));

  for (let tries = 0; ; tries++) {
    try {
      for (const member of members.keys()) etcdctl(member, 'endpoint', 'health');
      break;
    } catch (error) {
      if (tries > 100) throw error;
      await sleep(100);
    }
  }
  return {
    endpoints,
    etcdctl,
    leader,
    freeze: (member) => void children[member]?.kill('SIGSTOP'),
    thaw: (member) => void children[member]?.kill('SIGCONT'),
    stop: async () => {
      const gone = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(gone);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
