import { loadConfig } from '../../src/lib/config/index.ts';
import { Session } from '../../src/lib/control/session.ts';
import type { HollowLab } from '../../src/lib/lab/hollow/lab.ts';
import type { Machine, MachineTarget } from '../../src/lib/machine/index.ts';

/** The calls that change something on a machine. */
export const EFFECTS = ['apply', 'settle', 'reload', 'start', 'stop', 'restart', 'forget', 'enable'] as const;

/** What a run meets at the step where it dies: no error that anybody handles. */
export class Killed extends Error {}

/** Ends a run before its effect number `after` (0 = before the first); counts those that it let pass. */
export class Death {
  passed = 0;
  readonly #after: number;

  constructor(after = Number.POSITIVE_INFINITY) {
    this.#after = after;
  }

  pass(): void {
    if (this.passed >= this.#after) throw new Killed();
    this.passed++;
  }
}

/** A session whose run ends at a chosen effect on a machine, as if the process were killed there. */
export class DyingSession extends Session {
  readonly #death: Death;

  constructor(options: ConstructorParameters<typeof Session>[0], death: Death) {
    super(options);
    this.#death = death;
  }

  override async connect(target: MachineTarget): Promise<Machine> {
    const machine = await super.connect(target);
    return new Proxy(machine, {
      get: (of, name) => {
        const value: unknown = Reflect.get(of, name);
        if (typeof value !== 'function') return value;
        const isEffect = (EFFECTS as readonly (string | symbol)[]).includes(name);
        return async (...args: unknown[]) => {
          if (isEffect) this.#death.pass();
          return (await value.apply(of, args)) as unknown;
        };
      },
    });
  }
}

/** A session on the machines of a lab in this process, with a registry in `dir`. */
export async function sessionOn(lab: HollowLab, dir: string, death = new Death()): Promise<Session> {
  const env = {
    CLUSTER_DATA_DIR: dir,
    // These tests are about steps: waiting a second after each start would be most of their time.
    CLUSTER_MIN_HEALTHY: '0',
    CLUSTER_SSH_IDENTITY: lab.machines[0]?.identity,
    CLUSTER_KNOWN_HOSTS_FILE: lab.machines[0]?.knownHosts,
  };
  const config = await loadConfig({ flags: {}, env, cwd: dir, home: dir });
  return new DyingSession({ config, emit: () => undefined }, death);
}

/** For `reconcile`: what the registry does not know stays. */
export const mayRemove = async (): Promise<boolean> => false;
