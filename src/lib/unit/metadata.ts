const SHORT = 8;

/** The first eight characters of a machine id, as lists show it. */
export function shortMachineId(id: string): string {
  return id.slice(0, SHORT);
}

/** Whether `MachineID=wanted` names machine `id`: the full id or exactly the short one, not another prefix. */
export function matchMachineId(id: string, wanted: string): boolean {
  return wanted !== '' && (wanted === id || wanted === shortMachineId(id));
}

/** Whether every required key is present (AND) with one of its values (OR). */
export function matchMetadata(
  required: Readonly<Record<string, readonly string[]>>,
  machine: Readonly<Record<string, string>>,
): boolean {
  for (const [key, wanted] of Object.entries(required)) {
    const value = Object.hasOwn(machine, key) ? machine[key] : undefined;
    if (value === undefined || !wanted.includes(value)) return false;
  }
  return true;
}

/** `k=v,k=v` as fleet reads it: whitespace trimmed, the last duplicate wins, pairs without `=` dropped. */
export function parseMetadata(text: string): Record<string, string> {
  const pairs: [string, string][] = [];
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    if (at !== -1) pairs.push([part.slice(0, at).trim(), part.slice(at + 1).trim()]);
  }
  return Object.fromEntries(pairs);
}

/** `key=value` with exactly one `=` and two sides, else null. */
export function metadataPair(text: string): [key: string, value: string] | null {
  const [key = '', value = '', ...more] = text.split('=');
  return key === '' || value === '' || more.length > 0 ? null : [key, value];
}
