import type { UnitAge } from '../port.ts';
import { type Bus, BusError, variant } from './dbus.ts';
import { SYSTEMD, unitPath } from './names.ts';

/** Since when units are in their states, and how often they were restarted. All questions are on the way together. */
export async function unitAges(bus: Bus, units: readonly string[]): Promise<UnitAge[]> {
  return await Promise.all(
    units.map(async (unit) => {
      const isService = unit.endsWith('.service');
      const [since, restarts] = await Promise.all([
        numberOf(bus, unit, 'Unit', 'StateChangeTimestamp'),
        isService ? numberOf(bus, unit, 'Service', 'NRestarts') : null,
      ]);
      return { unit, since: since ? Math.round(since / 1000) : null, restarts };
    }),
  );
}

async function numberOf(bus: Bus, unit: string, iface: string, name: string): Promise<number | null> {
  try {
    const answer = await bus.call({
      destination: SYSTEMD,
      path: unitPath(unit),
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: [`${SYSTEMD}.${iface}`, name],
    });
    const value = Number(variant(answer[0]));
    return Number.isFinite(value) ? value : null;
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    return null;
  }
}
