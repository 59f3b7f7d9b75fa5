import type { UnitStatus } from '../port.ts';
import type { Bus } from './dbus.ts';
import { endOf, property, RESULT_TYPES, RESULT_WORDS } from './failure.ts';
import { SYSTEMD } from './names.ts';

/** How far apart two units may have stopped to count as stopped together, in microseconds. */
const TOGETHER = 1_000_000;

/** Properties that name what a unit cannot run without, or stops with. */
const NEEDS = ['Requires', 'Requisite', 'BindsTo', 'PartOf'] as const;

/** What a unit that does not run says of itself. Times are monotonic, in microseconds; 0 = never. */
interface Down {
  /** Why it does not run, where its own state tells. */
  readonly why?: string | undefined;
  /** Why, where nothing that it hangs on tells more. */
  readonly otherwise?: string | undefined;
  readonly unmet: boolean;
  readonly needs: readonly string[];
  readonly stopping: number;
  readonly stopped: number;
}

/** A unit that others hang on. */
interface Need {
  readonly active: string;
  readonly stopping: number;
}

/**
 * The same states, with `why` and `unmet` where a unit does not run and systemd knows the reason. Units that run cost
 * nothing; all questions about the others are on the way together, and once more about what those hang on.
 */
export async function withReasons(bus: Bus, statuses: readonly UnitStatus[]): Promise<UnitStatus[]> {
  const downs = await Promise.all(
    statuses.map((status) => (isDown(status) ? lookInto(bus, status) : undefined)),
  );
  const names = new Set(downs.flatMap((down) => (down === undefined || down.why ? [] : down.needs)));
  const needs = new Map<string, Need>();
  await Promise.all([...names].map(async (unit) => needs.set(unit, await needOf(bus, unit))));
  return statuses.map((status, at) => {
    const down = downs[at];
    if (down === undefined) return status;
    const why = down.why ?? whyByNeeds(down, needs) ?? down.otherwise;
    return { ...status, ...(why !== undefined && { why }), ...(down.unmet && { unmet: true as const }) };
  });
}

function isDown({ load, active }: UnitStatus): boolean {
  return load === 'loaded' && (active === 'inactive' || active === 'failed');
}

async function lookInto(bus: Bus, { unit, active }: UnitStatus): Promise<Down> {
  const type = unit.slice(unit.lastIndexOf('.') + 1);
  const kind = RESULT_TYPES[type];
  const isService = type === 'service';
  const ask = (iface: string | undefined, name: string): Promise<unknown> =>
    iface === undefined ? Promise.resolve(undefined) : property(bus, unit, `${SYSTEMD}.${iface}`, name);
  const ofService = isService ? 'Service' : undefined;
  const [met, checked, conditions, stopping, stopped, result, code, status, restarts, sort, ...lists] =
    await Promise.all([
      ask('Unit', 'ConditionResult'),
      ask('Unit', 'ConditionTimestampMonotonic'),
      ask('Unit', 'Conditions'),
      ask('Unit', 'ActiveExitTimestampMonotonic'),
      ask('Unit', 'InactiveEnterTimestampMonotonic'),
      ask(kind, 'Result'),
      ...['ExecMainCode', 'ExecMainStatus', 'NRestarts', 'Type'].map((name) => ask(ofService, name)),
      ...NEEDS.map((name) => ask('Unit', name)),
    ]);

  const needs = lists.flatMap((list) => (Array.isArray(list) ? list.map(String) : []));
  const base = {
    unmet: false,
    // Slices and targets are what every unit hangs on.
    needs: needs.filter((name) => !/\.(slice|target)$/.test(name)),
    stopping: Number(stopping ?? 0),
    stopped: Number(stopped ?? 0),
  };
  if (active === 'inactive' && met === false && Number(checked ?? 0) > 0)
    return { ...base, unmet: true, why: whyUnmet(conditions) };

  const end = endOf(Number(code ?? 0), Number(status ?? 0));
  const failed = typeof result === 'string' && result !== 'success' ? result : null;
  if (failed !== null) {
    const words = RESULT_WORDS[failed];
    const how = words && end ? `${words} (${end})` : (words ?? end ?? failed);
    const times = Number(restarts ?? 0);
    return { ...base, why: times === 0 ? how : `${how}, after ${times} restart${times === 1 ? '' : 's'}` };
  }
  const ran = Number(code ?? 0) > 0 && sort !== 'oneshot';
  return { ...base, otherwise: ran ? `its program ended (${end ?? 'exit status 0'})` : undefined };
}

async function needOf(bus: Bus, unit: string): Promise<Need> {
  const [active, stopping] = await Promise.all(
    ['ActiveState', 'ActiveExitTimestampMonotonic'].map((name) =>
      property(bus, unit, `${SYSTEMD}.Unit`, name),
    ),
  );
  return { active: String(active ?? ''), stopping: Number(stopping ?? 0) };
}

function whyByNeeds(down: Down, needs: ReadonlyMap<string, Need>): string | undefined {
  const { stopping, stopped } = down;
  const together = down.needs.find((name) => {
    const at = needs.get(name)?.stopping ?? 0;
    return stopping > 0 && at > 0 && at >= stopping - TOGETHER && at <= stopped + TOGETHER;
  });
  if (together !== undefined) return `it was stopped together with ${together}`;
  const lacking = down.needs.find((name) => ['failed', 'inactive'].includes(needs.get(name)?.active ?? ''));
  return lacking === undefined ? undefined : `it needs ${lacking}, which is ${needs.get(lacking)?.active}`;
}

/**
 * Which conditions stood against the last start. Of each `a(sbbsi)` has name, `|`, `!`, value, and a number below 0
 * where it is not met; after a daemon-reload systemd only knows that one of them was not.
 */
function whyUnmet(value: unknown): string {
  const rows = Array.isArray(value) ? (value as [string, boolean, boolean, string, number][]) : [];
  const failed = rows.filter(([, , , , state]) => state < 0);
  // Of those with | one suffices, so that they tell nothing where another one stands against the start.
  const needed = failed.filter(([, isTrigger]) => !isTrigger);
  const named = [needed, failed, rows].find(({ length }) => length > 0) ?? [];
  const texts = named.map(
    ([name, isTrigger, isNegated, text]) => `${name}=${isTrigger ? '|' : ''}${isNegated ? '!' : ''}${text}`,
  );
  const which = named === rows && rows.length > 1 ? 'one of its conditions' : 'its condition';
  return `${which} was not met: ${texts.join(', ')}`;
}
