import { createHash, randomBytes } from 'node:crypto';
import { readDefinition } from './definition.ts';
import { HollowJournal } from './journal.ts';
import { HOLLOW_VERSION } from './properties.ts';
import { HollowSystemd } from './systemd.ts';
import { HollowTree } from './tree.ts';

/** Switches that limit a hollow machine or make it fail, read at every request: set them at any time. */
export interface HollowFaults {
  /** No key is good enough. */
  refuseAuth: boolean;
  /** Accepts the TCP connection and never sends anything. */
  hang: boolean;
  /** Cuts each connection after this many requests (channels and global requests); null never does. */
  dropAfter: number | null;
  diskFull: boolean;
  /** `sudo -n` asks for a password. */
  sudoRefused: boolean;
  /** sshd's AllowStreamLocalForwarding no. */
  forbidStreamlocal: boolean;
  /** sshd's MaxSessions: how many commands and shells one connection may have at a time. */
  maxSessions: number;
  /** Added before each exec and each D-Bus reply. */
  slowMs: number;
}

export interface HollowMachineOptions {
  readonly lab: string;
  readonly index: number;
  readonly delayMs?: number;
  readonly restartMs?: number;
}

export interface UnitFileChange {
  readonly type: 'symlink' | 'unlink';
  readonly path: string;
  readonly target: string;
}

const UNIT_DIRS = ['/etc/systemd/system', '/run/systemd/system', '/lib/systemd/system'];
const ETC = UNIT_DIRS[0]!;

/** The files that every machine has from the beginning. */
const SYSTEM = new HollowTree();
const systemFiles: Record<string, string> = {
  '/proc/meminfo': 'MemTotal:        2097152 kB\n',
  '/proc/cpuinfo': 'processor\t: 0\nprocessor\t: 1\n',
  '/etc/os-release':
    'PRETTY_NAME="Hollow Linux (simulated)"\nNAME="Hollow Linux"\nID=hollow\nID_LIKE=debian\nVERSION_ID="12"\n',
  '/lib/systemd/system/multi-user.target': '[Unit]\nDescription=Multi-User System\n',
  '/lib/systemd/system/basic.target': '[Unit]\nDescription=Basic System\n',
  '/lib/systemd/system/dbus.service':
    '[Unit]\nDescription=D-Bus System Message Bus\n[Service]\nExecStart=/usr/bin/dbus-daemon\n',
  '/lib/systemd/system/ssh.service':
    '[Unit]\nDescription=OpenBSD Secure Shell server\n[Service]\nExecStart=/usr/sbin/sshd -D\n[Install]\nWantedBy=multi-user.target\n',
};
for (const [path, content] of Object.entries(systemFiles)) SYSTEM.write(path, Buffer.from(content));

/** One hollow machine: files in memory, a journal, a simulated systemd. server.ts gives it a socket. */
export class HollowMachine {
  readonly id: string;
  readonly hostname: string;
  readonly tree = new HollowTree(SYSTEM);
  readonly journal = new HollowJournal();
  readonly faults: HollowFaults = {
    refuseAuth: false,
    hang: false,
    dropAfter: null,
    diskFull: false,
    sudoRefused: false,
    forbidStreamlocal: false,
    maxSessions: 10,
    slowMs: 0,
  };
  /** Every request so far, for tests that count round trips. */
  readonly requests: string[] = [];
  /** How many processes of a unit go on when it is stopped, by its name: tests set it. */
  readonly outliving = new Map<string, number>();
  bootId = '';
  systemd: HollowSystemd;
  readonly #options: HollowMachineOptions;
  readonly #rebooting = new Set<() => void>();
  readonly #undos = new Map<string, NodeJS.Timeout>();
  /** What was undone, for tests. */
  readonly undone: string[] = [];

  constructor(options: HollowMachineOptions) {
    this.#options = options;
    this.hostname = `${options.lab}-${options.index}`;
    this.id = createHash('sha256')
      .update(`hollow ${options.lab} ${options.index}`)
      .digest('hex')
      .slice(0, 32);
    const put = (path: string, content: string): void => this.tree.write(path, Buffer.from(content));
    put('/etc/machine-id', `${this.id}\n`);
    put('/etc/hostname', `${this.hostname}\n`);
    this.systemd = this.#boot();
  }

  /** Runs `then` at each reboot (connections are cut by it) until the returned function is called. */
  onReboot(then: () => void): () => void {
    this.#rebooting.add(then);
    return () => this.#rebooting.delete(then);
  }

  /** Power cycle: processes gone, files kept, enabled units started again. */
  reboot(): void {
    this.systemd.halt();
    for (const cut of [...this.#rebooting]) cut();
    this.tree.remove('/run/reboot-required');
    this.systemd = this.#boot();
  }

  /** A timer that undoes a change: of what its text would do, only that logins work again is simulated. */
  arm(name: string, afterMs: number, text: string): void {
    const undo = (): void => {
      this.#undos.delete(name);
      this.undone.push(text);
      Object.assign(this.faults, { refuseAuth: false, hang: false });
    };
    this.#undos.set(name, setTimeout(undo, afterMs).unref());
  }

  /** @returns false when it was too late. */
  disarm(name: string): boolean {
    clearTimeout(this.#undos.get(name));
    return this.#undos.delete(name);
  }

  /** Where a unit's file is: the exact name first, then its template; text null for a masked one. */
  readUnit(name: string): { path: string; text: string | null } | null {
    const template = name.replace(/@.*(\.[^.]+)$/, '@$1');
    for (const file of new Set([name, template])) {
      for (const dir of UNIT_DIRS) {
        const path = `${dir}/${file}`;
        const link = this.tree.readlink(path);
        if (link === '/dev/null') return { path, text: null };
        const text = this.tree.text(path);
        if (text === null) continue;
        const dropIns = this.tree.list(`${dir}/${file}.d`).filter((drop) => drop.endsWith('.conf'));
        const added = dropIns.map((drop) => this.tree.text(`${dir}/${file}.d/${drop}`) ?? '');
        return { path: link ? this.#resolved(dir, link) : path, text: [text, ...added].join('\n') };
      }
    }
    return null;
  }

  /** Units that `NAME.wants/` and `NAME.requires/` links pull in. */
  wantedBy(target: string): string[] {
    const dirs = UNIT_DIRS.flatMap((dir) => [`${dir}/${target}.wants`, `${dir}/${target}.requires`]);
    return dirs.flatMap((dir) => this.tree.list(dir));
  }

  /** UnitFileState: enabled, disabled, static, masked or empty. */
  fileState(name: string): string {
    const found = this.readUnit(name);
    if (!found) return '';
    if (found.text === null) return 'masked';
    const { hasInstall, wantedBy, requiredBy } = readDefinition(name, found.text);
    const links = [...wantedBy.map((by) => `${by}.wants`), ...requiredBy.map((by) => `${by}.requires`)];
    if (links.some((dir) => this.tree.stat(`${ETC}/${dir}/${name}`))) return 'enabled';
    return hasInstall ? 'disabled' : 'static';
  }

  /** What `systemctl enable` and `disable` do to the links that `[Install]` names; null when there is no such unit. */
  setEnabled(name: string, on: boolean): UnitFileChange[] | null {
    const found = this.readUnit(name);
    if (!found || found.text === null) return null;
    const { wantedBy, requiredBy, alias } = readDefinition(name, found.text);
    const dirs = [
      ...wantedBy.map((by) => `${by}.wants/${name}`),
      ...requiredBy.map((by) => `${by}.requires/${name}`),
    ];
    const changes: UnitFileChange[] = [];
    for (const link of [...dirs, ...alias]) {
      const path = `${ETC}/${link}`;
      if (on && !this.tree.stat(path)) {
        this.tree.link(path, found.path);
        changes.push({ type: 'symlink', path, target: found.path });
      } else if (!on && this.tree.remove(path)) {
        changes.push({ type: 'unlink', path, target: '' });
      }
    }
    return changes;
  }

  /** The facts that a script on the machine would find. */
  facts(): {
    id: string;
    bootId: string;
    hostname: string;
    systemd: string;
    kernel: string;
    architecture: string;
  } {
    const { id, bootId, hostname } = this;
    return { id, bootId, hostname, systemd: HOLLOW_VERSION, kernel: '6.1.0-hollow', architecture: 'x86_64' };
  }

  #boot(): HollowSystemd {
    this.bootId = randomBytes(16).toString('hex');
    const dashed = this.bootId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    this.tree.write('/proc/sys/kernel/random/boot_id', Buffer.from(`${dashed}\n`));
    const { delayMs, restartMs } = this.#options;
    const systemd = new HollowSystemd({
      journal: this.journal,
      readUnit: (name) => this.readUnit(name),
      wantedBy: (target) => this.wantedBy(target),
      exists: (path) => this.tree.stat(path) !== null,
      ...(delayMs === undefined ? {} : { delayMs }),
      ...(restartMs === undefined ? {} : { restartMs }),
    });
    for (const name of ['dbus.service', 'ssh.service', 'multi-user.target']) systemd.enqueue('start', name);
    return systemd;
  }

  #resolved(dir: string, link: string): string {
    return link.startsWith('/') ? link : `${dir}/${link}`;
  }
}
