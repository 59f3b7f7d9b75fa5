import { ClusterError, ClusterErrors, EXIT } from '../../error.ts';
import {
  lookupHost,
  type Machine,
  type MachineTarget,
  parseSpec,
  resolveTarget,
  trustedHostKeys,
  unfollowedOptions,
} from '../../machine/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { nearest } from '../../unit/index.ts';
import type { Session } from '../session.ts';
import { converge, nameOf, throwFailures, write } from '../units/converge.ts';
import { isGlobal } from '../units/global.ts';

/** `k=v` arguments; @throws `bad-metadata`. */
export function readMetadata(pairs: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const pair of pairs.flatMap((item) => item.split(','))) {
    const at = pair.indexOf('=');
    const key = pair.slice(0, at).trim();
    if (at < 1 || key === '')
      throw new ClusterError('bad-metadata', `"${pair}" is not KEY=VALUE`, {
        hint: 'such as --metadata role=web',
      });
    out[key] = pair.slice(at + 1).trim();
  }
  return out;
}

/** A machine by any unique prefix of its id, its address or its host name. */
export function findMachine(state: RegistryState, wanted: string): MachineRecord {
  const all = [...state.machines.values()];
  const hits = all.filter(
    ({ id, target, facts }) =>
      id.startsWith(wanted) || facts.hostname === wanted || addressWords(target).includes(wanted),
  );
  const only = hits[0];
  if (only !== undefined && hits.length === 1) return only;
  if (hits.length > 1)
    throw new ClusterError('ambiguous-machine', `${wanted} fits ${hits.length} machines`, {
      hint: hits.map(({ id }) => id.slice(0, 8)).join(', '),
    });
  const close = nearest(
    wanted,
    all.flatMap(({ id, target }) => [id.slice(0, 8), target.address]),
  );
  throw new ClusterError('unknown-machine', `no machine ${wanted}`, {
    hint: close === null ? 'cluster list-machines' : `did you mean ${close}?`,
  });
}

/** What a person may call a machine by its address, as at `machine add`. */
function addressWords({ user, address, port }: MachineTarget): string[] {
  const bare = [address, `${address}:${port}`, `[${address}]:${port}`];
  return [...bare, ...bare.map((word) => `${user}@${word}`)];
}

export interface AddOptions {
  /** null: what an already registered machine has. */
  readonly metadata: Record<string, string> | null;
  /** Keep the host keys that this operator trusts in the registry, for others. */
  readonly shareHostKey?: boolean;
}

/** Connects, reads what the machine is, registers it, and brings the global units that fit. */
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
  { metadata, shareHostKey = false }: AddOptions,
): Promise<void> {
  const errors: ClusterError[] = [];
  const found: Found[] = [];
  const state = await (await session.registry()).load();
  const known = [...state.machines.values()].map((machine) => machine.target);
  await Promise.all(
    targets.map(async (given) => {
      try {
        const shared = known.find((one) => sameAddress(one, given))?.hostKeys;
        const target = { ...given, ...(shared && { hostKeys: shared }) };
        const machine = await session.connect(target);
        const facts = await machine.facts();
        await checkUsable(machine, facts.sudo);
        const hostKeys = shareHostKey ? await hostKeysOf(session, target) : shared;
        const kept = { ...given, ...(hostKeys && { hostKeys }) };
        found.push({ v: 1, id: facts.machineId, target: kept, facts });
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        errors.push(error);
      }
    }),
  );
  refuseTwins(found, errors);
  await refuseClones(session, found, errors);
  if (found.length === 0) throw new ClusterErrors(errors);
  const { before, decision } = await write(session, (state) => ({
    machines: new Map(
      found.map((item) => [
        item.id,
        { ...item, metadata: metadata ?? state.machines.get(item.id)?.metadata ?? {} },
      ]),
    ),
  }));
  for (const item of found) {
    const { hostname, os, systemd } = item.facts;
    session.emit({
      kind: 'machine-added',
      machine: { id: item.id, address: item.target.address },
      updated: before.machines.has(item.id),
      text: `${hostname}, ${os}, systemd ${systemd}`,
    });
  }
  const added = new Set(found.map(({ id }) => id));
  const concerned = new Set([...decision.units.keys()].filter((unit) => isGlobal(before, unit)));
  for (const unit of decision.changed) concerned.add(unit);
  const mine = {
    ...decision,
    assignments: decision.assignments.filter(
      (item) => added.has(item.machine) || decision.changed.has(item.unit),
    ),
  };
  const { failures } = await converge(session, before, onlyOn(mine, added), concerned, {
    block: true,
    timeoutMs: 0,
  });
  if (errors.length > 0) throw new ClusterErrors([...errors, ...failures]);
  throwFailures(failures);
}

function onlyOn<Item extends { machines: ReadonlyMap<string, MachineRecord> }>(
  decision: Item,
  ids: ReadonlySet<string>,
): Item {
  return { ...decision, machines: new Map([...decision.machines].filter(([id]) => ids.has(id))) };
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

/** The host keys to share. @throws `host-key-not-shared` where no known_hosts file names one. */
async function hostKeysOf(session: Session, target: MachineTarget): Promise<string[]> {
  const ssh = session.ssh();
  const keys = await trustedHostKeys(target, ssh, lookupHost(target.address, ssh, target));
  if (keys.length === 0)
    throw new ClusterError(
      'host-key-not-shared',
      `no known_hosts file of yours has a key of ${target.address} that could be shared`,
      {
        machine: target.address,
        hint: 'an authority may vouch for it, or the key was shared already: cluster machine show',
      },
    );
  return keys;
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

type Found = Omit<MachineRecord, 'metadata'>;

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

/** Takes a machine out; its units go elsewhere with `force`, else they must be gone already. */
export async function removeMachine(session: Session, wanted: string, force: boolean): Promise<void> {
  const { before, decision, removed } = await (async () => {
    let removed: MachineRecord | undefined;
    const result = await write(session, (state) => {
      removed = findMachine(state, wanted);
      const { id, target } = removed;
      const here = [...state.units.values()].filter(
        (unit) => unit.machine === id && unit.desired !== 'inactive',
      );
      if (here.length > 0 && !force)
        throw new ClusterError(
          'machine-in-use',
          `${here.length} units are placed on ${target.address}: ${here
            .slice(0, 3)
            .map(({ name }) => name)
            .join(', ')}${here.length > 3 ? ', ...' : ''}`,
          {
            machine: target.address,
            hint: `cluster machine rm --force ${id.slice(0, 8)} places them elsewhere`,
          },
        );
      return { machines: new Map([[id, null]]) };
    });
    return { ...result, removed: removed as unknown as MachineRecord };
  })();
  const globals = [...before.units.keys()].filter((unit) => isGlobal(before, unit));
  const concerned = new Set([...decision.changed, ...globals]);
  const { failures } = await converge(session, before, withGone(decision, removed), concerned, {
    block: true,
    timeoutMs: 0,
  });
  const real = failures.filter(
    (error) => error.place.machine === undefined || error.place.machine !== removed.target.address,
  );
  await (await session.pool()).forget([removed.target]);
  session.emit({ kind: 'machine-removed', machine: nameOf(removed) });
  throwFailures(real);
}

/** The machine that leaves is still talked to once, to take our units off it. */
function withGone<Item extends { machines: ReadonlyMap<string, MachineRecord> }>(
  decision: Item,
  gone: MachineRecord,
): Item {
  return { ...decision, machines: new Map([...decision.machines, [gone.id, gone]]) };
}

/** Sets keys (`k=v`) and removes keys (`k=`), then moves what no longer fits. */
export async function setMetadata(
  session: Session,
  wanted: string,
  pairs: readonly string[],
): Promise<MachineRecord> {
  const edits = readMetadata(pairs);
  let record: MachineRecord | undefined;
  const { before, decision } = await write(session, (state) => {
    const machine = findMachine(state, wanted);
    const metadata = Object.fromEntries(
      Object.entries({ ...machine.metadata, ...edits }).filter(([, value]) => value !== ''),
    );
    record = { ...machine, metadata };
    return { machines: new Map([[machine.id, record]]) };
  });
  const written = record as unknown as MachineRecord;
  session.emit({ kind: 'machine-metadata', machine: nameOf(written), metadata: written.metadata });
  const concerned = new Set([
    ...decision.changed,
    ...[...before.units.keys()].filter((unit) => isGlobal(before, unit)),
  ]);
  const { failures } = await converge(session, before, decision, concerned, { block: true, timeoutMs: 0 });
  throwFailures(failures);
  return written;
}
