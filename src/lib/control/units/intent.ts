import { ClusterError, ClusterErrors, EXIT } from '../../error.ts';
import { findCircle } from '../../plan/index.ts';
import type { Desired, Intent, UnitEntry } from '../../plan/model.ts';
import type { RegistryState } from '../../registry/index.ts';
import { outdatedInstances, parseUnitFile, parseUnitName, requirements } from '../../unit/index.ts';
import type { Event } from '../event.ts';
import { RANK } from './desired.ts';
import type { Found } from './find-files.ts';

/**
 * What starting (or loading, or submitting) units with these files means for the registry, and what a person should
 * know about it. Units that are known keep their file unless `replace` is set; a changed template then concerns those
 * instances that were found, with `siblings` all.
 * @throws `template-activation` for a template that would be loaded or launched.
 */
export function intentOfFiles(
  state: RegistryState,
  found: readonly Found[],
  desired: Desired,
  replace: boolean,
  siblings = false,
): { readonly intent: Intent; readonly events: readonly Event[] } {
  const events: Event[] = [];
  const units = new Map<string, Pick<UnitEntry, 'hash' | 'desired'>>();
  const files = new Map<string, string>();
  const warned = new Set<string>();
  for (const item of found) {
    const known = state.units.get(item.name);
    if (desired !== 'inactive' && parseUnitName(item.name).isTemplate)
      throw new ClusterError('template-activation', `cannot activate template "${item.name}"`, {
        unit: item.name,
        hint: `name instances, such as '${item.name.replace('@.', '@<1..3>.')}'`,
      });

    let { hash } = item;
    // Instances share a text: what is wrong with it is said once.
    const text = item.differs?.hash ?? hash;
    if (!warned.has(text)) for (const message of item.warnings) events.push({ kind: 'warning', message });
    warned.add(text);
    if (item.differs !== null && !replace)
      events.push({
        kind: 'differs',
        unit: item.name,
        path: item.differs.path,
        template: item.differs.template,
      });

    if (replace && known !== undefined) {
      if (item.differs === null) events.push({ kind: 'same', unit: item.name });
      else if (RANK[known.desired] > RANK[desired]) {
        events.push({ kind: 'unreplaceable', unit: item.name, desired: known.desired });
      } else {
        hash = item.differs.hash;
        files.set(hash, item.differs.text);
        if (item.differs.template && siblings) replaceInstances(state, item.name, hash, units);
      }
    }
    if (known === undefined) {
      events.push({ kind: 'created', unit: item.name });
      files.set(hash, item.text);
    }

    const keep = known !== undefined && desired === 'inactive';
    const everywhere = replace && known?.hashes !== undefined && { hashes: {} };
    units.set(item.name, { hash, desired: keep ? known.desired : desired, ...everywhere });
  }

  for (const event of outdated(state, units)) events.push(event);
  return { intent: { units, files }, events };
}

/** A changed file is deployed or passed over because somebody said so. @throws `file-differs` (exit 3) for each. */
export function refuseDiffering(found: readonly Found[]): void {
  const errors = found.flatMap(({ name, differs }) => {
    if (differs === null) return [];
    const { path, template } = differs;
    return new ClusterError(
      'file-differs',
      `Unit ${name} in registry differs from local ${template ? 'template ' : ''}unit file ${path}; nothing was changed`,
      {
        unit: name,
        file: path,
        exit: EXIT.differs,
        hint: '--replace deploys the local file, --keep goes on with the stored one; cluster plan shows the change',
      },
    );
  });
  if (errors.length > 0) throw new ClusterErrors(errors);
}

/** Units that name each other in MachineOf can never be placed. @throws `machine-of-circle`. */
export function refuseCircles(state: RegistryState, found: readonly Found[], replace: boolean): void {
  const texts = new Map(
    found.map(({ name, text, differs }) => [name, replace && differs !== null ? differs.text : text]),
  );
  const leaders = (unit: string): readonly string[] => {
    const text = texts.get(unit) ?? state.files.get(state.units.get(unit)?.hash ?? '');
    return text?.includes('MachineOf') ? requirements(unit, parseUnitFile(text)).machineOf : [];
  };
  const circle = findCircle([...texts.keys()], leaders);
  if (circle === null) return;
  throw new ClusterError('machine-of-circle', `MachineOf goes in a circle: ${circle.join(' -> ')}`, {
    unit: circle[0] ?? '',
    hint: 'one of them must not name the other; nothing was changed',
  });
}

/** One changed template is rolled out to all its instances, each in the state that it is in. */
function replaceInstances(
  state: RegistryState,
  instance: string,
  hash: string,
  units: Map<string, Pick<UnitEntry, 'hash' | 'desired'>>,
): void {
  const { template } = parseUnitName(instance);
  for (const unit of state.units.values()) {
    if (units.has(unit.name)) continue;
    const name = parseUnitName(unit.name);
    if (name.template === template || unit.name === template)
      units.set(unit.name, { hash, desired: unit.desired });
  }
}

/** Templates that were replaced here while instances still run the old text. */
function outdated(state: RegistryState, units: ReadonlyMap<string, Pick<UnitEntry, 'hash'>>): Event[] {
  const out: Event[] = [];
  for (const [template, { hash }] of units) {
    if (!parseUnitName(template).isTemplate) continue;
    const old = outdatedInstances(template, hash, state.units.values()).filter((name) => !units.has(name));
    if (old.length > 0) out.push({ kind: 'outdated', template, units: old });
  }
  return out;
}
