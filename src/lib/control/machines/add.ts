/**
 * What commands do with machines: add, remove, install, hold connections, make labs. It must not know traffic.
 */
import { ClusterError, ClusterErrors, EXIT } from '../../error.ts';
import {
  type Machine,
  type MachineTarget,
  parseSpec,
  resolveTarget,
  unfollowedOptions,
} from '../../machine/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { askAll, Reachability } from '../units/ask.ts';
import { changeOwner, checkOwner } from '../units/owner.ts';
import { joinScopes, type Scope, scopeOnMachine } from '../units/scope.ts';
import { type Decided, write } from '../units/write.ts';
import { convergeMachines } from './converge-machines.ts';
import { hostKeysOf } from './host-keys.ts';

export interface AddOptions {
  /** null: what an already registered machine has. */
  readonly metadata: Record<string, string> | null;
  /** Keep the host keys that this operator trusts in the registry, for others. */
  readonly shareHostKey?: boolean;
  /** Also machines of another cluster, or of another history of this registry. */
  readonly takeOver?: boolean;
}

/** Connects, reads what the machine is, registers it, and starts the global units that fit it. */
export async function addMachines(
  session: Session,
  specs: readonly string[],
  options: AddOptions,
): Promise<void> {
  const targets = specs.map((spec) =>
    resolveTarget(parseSpec(spec), session.ssh(), { user: session.config.ssh.user }),
  );
  const passedOver = new Set(targets.flatMap((target) => unfollowedOptions(target, session.ssh())));
  for (const message of passedOver) session.emit({ kind: 'warning', message });
  await addTargets(session, targets, options);
}

/** As addMachines, with targets that are known already (the lab's). */
export async function addTargets(
  session: Session,
  targets: readonly MachineTarget[],
  { metadata, shareHostKey = false, takeOver = false }: AddOptions,
): Promise<void> {
  const errors: ClusterError[] = [];
  const found: Found[] = [];
  const state = await session.state({ toChange: true });
  const known = [...state.machines.values()].map((machine) => machine.target);
  await Promise.all(
    targets.map(async (given) => {
      try {
        const shared = known.find((one) => sameAddress(one, given))?.hostKeys;
        const target = { ...given, ...(shared && { hostKeys: shared }) };
        const machine = await session.connect(target);
        const facts = await machine.facts();
        await checkUsable(machine, facts.sudo);
        const { owner } = await machine.manifest();
        if (!takeOver) await checkOwner(session, { target }, owner, state.identity);
        const hostKeys = shareHostKey ? await hostKeysOf(session, target) : shared;
        const kept = { ...given, ...(hostKeys && { hostKeys }) };
        found.push({ v: 1, id: facts.machineId, target: kept, facts, owned: true });
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        errors.push(error);
      }
    }),
  );
  refuseTwins(found, errors);
  await refuseClones(session, found, errors);
  if (found.length === 0) throw new ClusterErrors(errors);
  const ids = new Set(found.map(({ id }) => id));
  const intend = (now: RegistryState) => {
    const records = found.map((item) => {
      const { cordons, metadata: known = {} } = now.machines.get(item.id) ?? {};
      return { ...item, metadata: metadata ?? known, ...(cordons && { cordons }) };
    });
    return { intent: { machines: new Map(records.map((record) => [record.id, record])) }, value: null };
  };
  const reachability = new Reachability(session, takeOver ? ids : undefined);
  const decided = await write(session, intend, { reachability });
  const { before, identity } = decided;
  const added = [...decided.decision.machines.values()].filter(({ id }) => ids.has(id));
  const owned = await askAll(session, added, (machine) =>
    changeOwner(machine, identity, takeOver ? 'take' : 'set'),
  );
  for (const answer of owned) if ('error' in answer) errors.push(answer.error);
  for (const item of found) {
    const { hostname, os, systemd } = item.facts;
    session.emit({
      kind: 'machine-added',
      machine: { id: item.id, address: item.target.address },
      updated: before.machines.has(item.id),
      text: `${hostname}, ${os}, systemd ${systemd}`,
    });
  }

  const strays = await straysOn(session, decided, found);
  const failures = await convergeMachines(session, decided, ids, strays);
  if (errors.length > 0) throw new ClusterErrors([...errors, ...failures]);
  throwFailures(failures);
}

/** Finds out now, not at the first unit, that sudo or systemd's bus do not serve this login. */
async function checkUsable(machine: Machine, sudo: 'root' | 'sudo' | 'denied'): Promise<void> {
  if (sudo === 'denied') {
    // Its error says why.
    const { code } = await machine.exec(['sh', '-c', ':'], { sudo: true });
    if (code !== 0) throw sudoDenied(machine.target);
  }
  await machine.statuses(['cluster.target']);
}

function sudoDenied(target: MachineTarget): ClusterError {
  return new ClusterError('sudo-refused', `${target.user} may not use sudo on ${target.address}`, {
    machine: target.address,
    hint: `allow it there: ${target.user} ALL=(ALL) NOPASSWD: ALL in /etc/sudoers.d/, or log in as root`,
    exit: EXIT.machine,
  });
}

function sameAddress(one: MachineTarget, other: MachineTarget): boolean {
  return one.address === other.address && one.port === other.port;
}

function refuseTwins(found: { id: string; target: MachineTarget }[], errors: ClusterError[]): void {
  const seen = new Map<string, string>();
  for (const item of [...found]) {
    const other = seen.get(item.id);
    seen.set(item.id, item.target.address);
    if (other === undefined || other === item.target.address) continue;
    found.splice(found.indexOf(item), 1);
    errors.push(twin(item.target.address, other));
  }
}

/**
 * Units that cluster installed on these machines and that belong elsewhere by now, such as on one that was away when
 * they moved: they are said, and stopped as any other unit that is not wanted. What this registry does not know is only
 * said.
 */
async function straysOn(session: Session, decided: Decided, found: readonly Found[]): Promise<Scope> {
  const { decision } = decided;
  const scopes = await Promise.all(
    found.map(async ({ id, target }): Promise<Scope> => {
      const record = decision.machines.get(id);
      const { units: entries } = await (await session.connect(target)).manifest();
      const wanted = new Set(
        decision.assignments.filter((one) => one.machine === id).map(({ unit }) => unit),
      );
      const strays = entries
        .filter(({ unit, hash }) => hash !== null && !wanted.has(unit))
        .map(({ unit }) => unit);
      const [known, unknown] = [true, false].map((is) =>
        strays.filter((unit) => decision.units.has(unit) === is),
      );
      const say = (units: readonly string[] = [], what: string): void => {
        if (units.length === 0) return;
        session.emit({ kind: 'warning', message: `${target.address} still has ${units.join(' ')}, ${what}` });
      };
      say(known, 'which belong elsewhere now: they are stopped and removed there');
      say(unknown, 'which this registry does not know: cluster reconcile --yes removes them');
      return record === undefined ? new Map() : scopeOnMachine(record, known ?? []);
    }),
  );
  return joinScopes(...scopes);
}

type Found = Omit<MachineRecord, 'metadata' | 'cordons'>;

/**
 * A copy of a registered machine must not take its place. The same machine at a new address is known by its boot id; one
 * that no longer answers at its old address has moved.
 */
async function refuseClones(session: Session, found: Found[], errors: ClusterError[]): Promise<void> {
  const { machines } = await session.state();
  const legend = ({ address, port }: MachineTarget): string => `${address}:${port}`;
  await Promise.all(
    [...found].map(async (item) => {
      const known = machines.get(item.id);
      if (known === undefined || legend(known.target) === legend(item.target)) return;
      const there = await session
        .machine(known)
        .then((machine) => machine.facts())
        .catch((error: unknown) => {
          if (error instanceof ClusterError) return null;
          throw error;
        });
      if (there?.machineId !== item.id || there.bootId === item.facts.bootId) return;
      found.splice(found.indexOf(item), 1);
      errors.push(twin(legend(item.target), legend(known.target)));
    }),
  );
}

function twin(address: string, other: string): ClusterError {
  return new ClusterError('duplicate-machine-id', `${address} has the same machine id as ${other}`, {
    machine: address,
    hint: 'give it its own: rm /etc/machine-id && systemd-machine-id-setup, then reboot it',
  });
}
