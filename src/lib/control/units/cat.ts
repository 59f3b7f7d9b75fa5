import { ClusterError } from '../../error.ts';
import { renderUnit } from '../../unit/index.ts';
import { findMachine } from '../find-machine.ts';
import type { Session } from '../session.ts';
import { locate } from './locate.ts';
import { nameUnits, requireKnown } from './name-units.ts';

/** The stored text of the one unit that is named; with `render`, as systemd on its machine (or the named one) reads it. */
export async function catUnit(
  session: Session,
  args: readonly string[],
  options: { render: boolean; machine?: string },
): Promise<string> {
  const state = await session.state();
  const [unit = '', ...more] = requireKnown(state, nameUnits(state, args));
  if (more.length > 0)
    throw new ClusterError('too-many-units', 'One unit file must be provided', {
      hint: `cluster cat ${unit}`,
    });
  const text = state.files.get(state.units.get(unit)?.hash ?? '') ?? '';
  if (!options.render) return text;
  const record =
    options.machine === undefined
      ? (await locate(session, [unit]))[0]?.machine
      : findMachine(state, options.machine);
  if (record === undefined)
    throw new ClusterError('not-loaded', `Unit ${unit} is on no machine`, {
      unit,
      hint: 'name one: --machine ID',
    });
  return renderUnit(text, unit, await (await session.machine(record)).details());
}
