import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
// @ts-expect-error A script of the project, without types.
import { installTools } from '../../scripts/bootstrap.mjs';
import { freePort } from './port.ts';

/** Real OpenSSH servers on the loopback, each with its own configuration, in a directory that goes with them. */
export class SshServers {
  readonly dir = mkdtempSync(join(tmpdir(), 'sshd-'));
  readonly user = userInfo().username;
  readonly #started: ChildProcess[] = [];

  constructor() {
    installTools();
    mkdirSync('/run/sshd', { recursive: true });
    this.key('host');
  }

  at(name: string): string {
    return join(this.dir, name);
  }

  /** Makes a key pair and returns its path. */
  key(name: string, ...more: string[]): string {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', this.at(name), ...more]);
    return this.at(name);
  }

  pub(name: string): string {
    return readFileSync(this.at(`${name}.pub`), 'utf8').trim();
  }

  write(name: string, text: string): string {
    writeFileSync(this.at(name), text, { mode: 0o600 });
    return this.at(name);
  }

  /** Starts a server that these public keys log in to; returns its port. */
  async start(authorised: readonly string[], ...lines: string[]): Promise<number> {
    const port = await freePort();
    const keys = this.write(`authorised-${port}`, `${authorised.join('\n')}\n`);
    // The first value of an option counts.
    const config = [
      ...lines,
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${this.at('host')}`,
      `AuthorizedKeysFile ${keys}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PidFile none',
      'PermitRootLogin yes',
      'MaxStartups 100',
    ];
    const child = spawn(
      '/usr/sbin/sshd',
      ['-D', '-e', '-f', this.write(`sshd-${port}`, `${config.join('\n')}\n`)],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    this.#started.push(child);
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr?.on('data', (text: Buffer) => {
        said += text.toString();
        if (said.includes('Server listening')) resolve();
      });
      child.once('exit', () => reject(new Error(`sshd did not start: ${said}`)));
    });
    return port;
  }

  /** A known_hosts file that knows the host key on these ports. */
  known(name: string, ...ports: number[]): string {
    return this.write(name, ports.map((port) => `[127.0.0.1]:${port} ${this.pub('host')}\n`).join(''));
  }

  /** An ssh-agent with these private keys; returns its socket. */
  async agent(name: string, keys: readonly string[]): Promise<string> {
    const socket = this.at(name);
    const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#started.push(child);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    execFileSync('ssh-add', ['-q', ...keys], {
      env: { ...process.env, SSH_AUTH_SOCK: socket },
      stdio: 'ignore',
    });
    return socket;
  }

  stop(): void {
    for (const child of this.#started) child.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
