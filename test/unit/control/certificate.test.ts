import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { certificateDoubts } from '../../../src/lib/control/traffic/certificate.ts';
import { keyFiles } from '../../support/key-files.ts';

const dir = mkdtempSync(join(tmpdir(), 'cluster-certificate-'));
afterAll(() => rmSync(dir, { recursive: true }));
const DAY_MS = 86_400_000;
const inDays = (days: number): Date => new Date(Date.now() + days * DAY_MS);
const made = (name: string) => new X509Certificate(keyFiles(dir, name, 'one').pem);

test.each([
  ['a.test', 'a.test', 1, []],
  ['a.test', 'a.test', 3, ['expired on ']],
  ['a.test', 'a.test', -1, ['is not valid before ']],
  ['b.test', 'a.test', 1, ['does not name it, but b.test']],
  ['b.test', 'a.test', 3, ['expired on ', 'does not name it']],
  ['*.b.test', 'a.b.test', 1, []],
  ['*.b.test', 'b.test', 1, ['does not name it, but *.b.test']],
  ['*.b.test', '*.b.test', 1, []],
  ['a.b.test', '*.b.test', 1, ['does not name it']],
])('certificate of %s for host %s in %i days: %j', (name, host, days, doubts) => {
  const found = certificateDoubts(made(name), host, inDays(days));
  expect(found).toEqual(doubts.map((doubt) => expect.stringContaining(doubt)));
});
