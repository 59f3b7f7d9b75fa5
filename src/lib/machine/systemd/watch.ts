import type { UnitChanges, WatchOptions } from '../port.ts';
import type { Bus, BusClosed } from './dbus.ts';
import { MANAGER, namedUnits, rowsOf } from './manager.ts';
import { MANAGER_PATH, SYSTEMD, UNIT_PATHS } from './names.ts';
import { UnitView } from './unit-view.ts';

const FROM_SYSTEMD = `type='signal',sender='${SYSTEMD}'`;

/**
 * Two rules for a machine, however many units: what the manager says, and the general properties of units. What changes
 * in a unit's own type (a service's many Exec... properties) stays on the machine.
 */
const MANAGER_RULE = `${FROM_SYSTEMD},path='${MANAGER_PATH}',interface='${MANAGER.interface}'`;
const UNIT_RULE = `${FROM_SYSTEMD},path_namespace='${UNIT_PATHS}',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='${SYSTEMD}.Unit'`;

/** The states of units now, then what changes. Ends when `signal` is aborted. @throws BusClosed. */
export async function* watchUnits(
  bus: Bus,
  { units, signal }: WatchOptions = {},
): AsyncGenerator<UnitChanges, void, void> {
  const view = new UnitView(units ?? null);
  const wakeup = new Wakeup();
  let closed: BusClosed | undefined;
  void bus.closed.then((why) => {
    closed = why;
    wakeup.call();
  });
  const wake = () => wakeup.call();
  signal?.addEventListener('abort', wake);
  const stops = [
    bus.on(UNIT_RULE, (heard) => {
      view.receive(heard);
      wakeup.call();
    }),
    // A listener hears what any rule lets through: the one above hears these signals, too.
    bus.on(MANAGER_RULE, () => undefined),
  ];

  try {
    bus.tell({ ...MANAGER, member: 'Subscribe' });
    while (!signal?.aborted) {
      if (closed !== undefined) throw closed;
      if (view.isStale) await readAll(bus, view, units);
      else if (view.unknown.length > 0) await readSome(bus, view);
      const changes = view.take();
      if (changes === null) await wakeup.called();
      else yield changes;
    }
  } finally {
    signal?.removeEventListener('abort', wake);
    for (const stop of stops) stop();
  }
}

async function readAll(bus: Bus, view: UnitView, units: readonly string[] | undefined): Promise<void> {
  if (units === undefined) {
    const list = { ...MANAGER, member: 'ListUnits' };
    await bus.call(list, ([rows]) =>
      view.replace(rowsOf(rows).map((status) => ({ id: status.unit, status }))),
    );
  } else {
    await namedUnits(bus, units, (rows) => view.replace(rows));
  }
}

/** By patterns, since asking by name would load a unit, and that is a signal again. */
async function readSome(bus: Bus, view: UnitView): Promise<void> {
  const names = view.unknown;
  const patterns = names.map((name) => name.replaceAll('\\', '\\\\'));
  const list = { ...MANAGER, member: 'ListUnitsByPatterns', signature: 'asas', body: [[], patterns] };
  await bus.call(list, ([rows]) => view.learn(names, rowsOf(rows)));
}

/** Wakes the one that waits; a call while nobody waits is kept. */
class Wakeup {
  #called = false;
  #wake: (() => void) | undefined;

  call(): void {
    this.#called = true;
    this.#wake?.();
  }

  async called(): Promise<void> {
    if (!this.#called) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#called = false;
    this.#wake = undefined;
  }
}
