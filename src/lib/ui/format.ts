/** `e9436653...`, or the whole id with `full`. */
export function machineId(id: string, full: boolean): string {
  return full ? id : `${id.slice(0, 8)}...`;
}

/** A machine as plans show it; short ids, as in an inventory file, are shown whole. */
export function planMachine(id: string): string {
  return id.length > 12 ? machineId(id, false) : id;
}

/** `e9436653.../10.133.191.90`; a machine that is no longer known has no address. */
export function machineLegend(machine: { id: string; address?: string | undefined }, full: boolean): string {
  const id = machineId(machine.id, full);
  return machine.address === undefined ? id : `${id}/${machine.address}`;
}

/** `k=v,k=v` sorted by key; empty for none. */
export function metadataText(metadata: Readonly<Record<string, string>>): string {
  return Object.keys(metadata)
    .sort()
    .map((key) => `${key}=${metadata[key]}`)
    .join(',');
}

const STEPS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
] as const;

/** How long ago, in the largest unit that fits: `4 s`, `12 min`, `3 h`, `9 d`. Clocks that differ make it 0 at least. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const step = STEPS.find(([size]) => seconds >= size);
  return step === undefined ? `${seconds} s` : `${Math.floor(seconds / step[0])} ${step[1]}`;
}
