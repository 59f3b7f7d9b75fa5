/** systemd's name on the bus. */
export const SYSTEMD = 'org.freedesktop.systemd1';

/** systemd's object path of a unit. */
export function unitPath(unit: string): string {
  const escaped = [...Buffer.from(unit)].map((byte, index) => {
    const char = String.fromCharCode(byte);
    const plain = /[A-Za-z]/.test(char) || (index > 0 && /[0-9]/.test(char));
    return plain ? char : `_${byte.toString(16).padStart(2, '0')}`;
  });
  return `/org/freedesktop/systemd1/unit/${escaped.join('')}`;
}

/** Reads the journal of one invocation. */
export type ReadJournal = (invocation: string, mainPid: number) => Promise<readonly string[]>;
