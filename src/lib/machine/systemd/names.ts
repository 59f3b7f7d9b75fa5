/** systemd's name on the bus. */
export const SYSTEMD = 'org.freedesktop.systemd1';

/** The object path of systemd's manager, and the one that units' paths begin with. */
export const MANAGER_PATH = '/org/freedesktop/systemd1';
export const UNIT_PATHS = `${MANAGER_PATH}/unit`;

/** systemd's object path of a unit. */
export function unitPath(unit: string): string {
  const escaped = [...Buffer.from(unit)].map((byte, index) => {
    const char = String.fromCharCode(byte);
    const plain = /[A-Za-z]/.test(char) || (index > 0 && /[0-9]/.test(char));
    return plain ? char : `_${byte.toString(16).padStart(2, '0')}`;
  });
  return `${UNIT_PATHS}/${escaped.join('')}`;
}

/** The unit of such a path; null where it is none. */
export function unitOfPath(path: string): string | null {
  if (!path.startsWith(`${UNIT_PATHS}/`)) return null;
  const escaped = path.slice(UNIT_PATHS.length + 1);
  const bytes = escaped.replace(/_([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString();
}
