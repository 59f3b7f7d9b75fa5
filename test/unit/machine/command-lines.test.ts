import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SRC = join(import.meta.dirname, '..', '..', '..', 'src');

/** Rooms that run systemd's programs; a gateway asks about itself, on its own machine. */
const MAY = /^lib\/(machine|lab)\/|^lib\/gateway\/ending\.ts$/;

test("systemd's command lines are in machine/ only", () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const found = files.filter((file) =>
    /['"`](systemctl|journalctl|systemd-analyze|systemd-run)['"`]|systemd-analyze verify "/.test(
      readFileSync(join(SRC, file), 'utf8'),
    ),
  );
  expect(found.filter((file) => !MAY.test(file))).toEqual([]);
  expect(found.some((file) => file.startsWith('lib/machine/systemd/'))).toBe(true);
});
