/**
 * A circle of MachineOf that can be reached from `start`, such as `[a, b, a]`, or null. `leaders` gives the units that a
 * unit names; unknown units name none.
 */
export function findCircle(
  start: readonly string[],
  leaders: (unit: string) => readonly string[],
): string[] | null {
  const done = new Set<string>();
  const walk = (unit: string, path: readonly string[]): string[] | null => {
    const at = path.indexOf(unit);
    if (at !== -1) return [...path.slice(at), unit];
    if (done.has(unit)) return null;
    for (const leader of leaders(unit)) {
      const circle = walk(leader, [...path, unit]);
      if (circle !== null) return circle;
    }
    done.add(unit);
    return null;
  };
  for (const unit of start) {
    const circle = walk(unit, []);
    if (circle !== null) return circle;
  }
  return null;
}
