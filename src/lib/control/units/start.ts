import type { Desired, Refusal, UnitEntry } from '../../plan/model.ts';
import type { RegistryState } from '../../registry/index.ts';
import type { Event } from '../event.ts';
import { throwFailures } from '../report.ts';
import { requireMachines, type Session } from '../session.ts';
import { Reachability } from './ask.ts';
import { converge, reportRefusals } from './converge.ts';
import { RANK } from './desired.ts';
import { type ChangedFile, changedFiles, findFiles, sourcesOf } from './find-files.ts';
import { intentOfFiles, refuseCircles, refuseDiffering } from './intent.ts';
import { noTemplate } from './name-units.ts';
import { scopeOfUnits } from './scope.ts';
import { sizesNow, withSizes } from './sizes.ts';
import { reportTriggered, type VerbOptions, waiting } from './verb.ts';
import { type Intended, warnOfPassedOver, write } from './write.ts';

/** The units that `submit`, `load` and `start` name, and what a person should know about their files. */
export interface Requested {
  readonly names: readonly string[];
  readonly events: readonly Event[];
  readonly changes: readonly ChangedFile[];
}

/** What to do where a local file is not what the registry has: deploy it, go on with the stored one, or refuse. */
export type Differing = 'replace' | 'keep' | 'refuse';

export interface StartOptions extends VerbOptions {
  readonly differing: Differing;
  /** A changed template concerns all its instances, also those that are not named. */
  readonly siblings?: boolean;
  /** What is refused is wanted no more afterwards, instead of later. */
  readonly orForget?: boolean;
}

/** `submit`, `load`, `start`: makes units known and wanted in that state, creating them from files where needed. */
export async function start(
  session: Session,
  args: readonly string[],
  desired: Desired,
  options: StartOptions,
): Promise<void> {
  const reachability = new Reachability(session);
  const decided = await write(
    session,
    (state) => intendStart(session, state, reachability, args, desired, options),
    { reachability },
  );
  const { before, decision } = decided;
  const { names, events } = decided.value;
  for (const event of events) session.emit(event);
  if (desired === 'inactive') return warnOfPassedOver(session, decided);

  const verb = desired === 'launched' ? 'start' : 'load';
  reportTriggered(session, names, decision.globals, verb, options.block);
  const concerned = new Set([...names, ...decision.changed]);
  const withdrawn = new Set(options.orForget ? names : []);
  const refused = reportRefusals(session, decided, (unit) => concerned.has(unit), withdrawn);
  const scope = scopeOfUnits(before, decision, concerned);
  const begun = performance.now();
  const { done, failures, silent } = await converge(session, decided, scope, {
    ...waiting(options),
    ...(desired === 'launched' && { asked: new Set(names) }),
  });
  if (withdrawn.size > 0) await withdraw(session, before, decision.result.refusals, withdrawn);
  const away = [...silent.keys()].reduce((sum, id) => sum + (scope.get(id)?.units.size ?? 1) - 1, 0);
  const failed = refused.length + failures.length + away;
  const seconds = (performance.now() - begun) / 1000;
  if (options.block && done + failed > 1)
    session.emit({ kind: 'summary', state: desired, done, failed, machines: scope.size, seconds });
  throwFailures([...refused, ...failures]);
}

/** Units that were refused are wanted as they were before; where they were refused before, not at all. */
async function withdraw(
  session: Session,
  before: RegistryState,
  refusals: readonly Refusal[],
  asked: ReadonlySet<string>,
): Promise<void> {
  const refused = refusals.map(({ unit }) => unit).filter((unit) => asked.has(unit));
  if (refused.length === 0) return;
  await write(session, (state) => {
    const units = new Map<string, Pick<UnitEntry, 'hash' | 'desired'>>();
    for (const unit of refused) {
      const now = state.units.get(unit);
      // Somebody else may have found a place for it meanwhile.
      if (now === undefined || now.machine !== null) continue;
      const was = before.units.get(unit)?.desired ?? 'inactive';
      units.set(unit, { hash: now.hash, desired: RANK[was] < RANK[now.desired] ? was : 'inactive' });
    }
    return { intent: { units }, value: undefined };
  });
}

/**
 * What `start` with these arguments means on this state; `plan` asks the same. Where files ask for memory or CPUs,
 * machines are asked of which it is not known how much they have.
 */
export async function intendStart(
  session: Session,
  state: RegistryState,
  reachability: Reachability,
  args: readonly string[],
  desired: Desired,
  { differing, siblings }: Pick<StartOptions, 'differing' | 'siblings'>,
): Promise<Intended<Requested>> {
  const intended = await intendFiles(state, args, desired, differing, siblings);
  if (desired === 'inactive') return intended;
  const { intent } = intended;
  const sizes = await sizesNow(session, state, reachability, 'unknown', intent.files?.values() ?? []);
  return { ...intended, intent: withSizes(intent, sizes) };
}

async function intendFiles(
  state: RegistryState,
  args: readonly string[],
  desired: Desired,
  differing: Differing,
  siblings = false,
): Promise<Intended<Requested>> {
  const replace = differing === 'replace';
  const active = desired !== 'inactive';
  if (active) requireMachines(state);
  const found = await findFiles(state, args, replace, active ? noTemplate : undefined);
  if (differing === 'refuse') refuseDiffering(found);
  if (active) refuseCircles(state, found, replace);
  const { intent, events } = intentOfFiles(state, found, desired, replace, siblings);
  const sources = sourcesOf(found);
  return {
    intent,
    sources,
    value: { names: found.map(({ name }) => name), events, changes: changedFiles(found) },
  };
}
