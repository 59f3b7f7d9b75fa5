import { expect } from 'vitest';
import type { Workplace } from '../support/cli.ts';
import { real, withRealLab } from '../support/real.ts';

let at: Workplace;

const FILES: Readonly<Record<string, string>> = {
  'early.service': "ExecStart=/bin/sh -c 'sleep 0.5; exit 1'",
  'false.service': 'ExecStart=/bin/false',
  'loop.service': "ExecStart=/bin/sh -c 'sleep 0.3; exit 3'\nRestart=always",
  'exec.service': "Type=exec\nExecStart=/bin/sh -c 'sleep 0.4; exit 4'",
  'good.service': 'ExecStart=/bin/sleep infinity',
  'notify.service':
    "Type=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep infinity'",
  'never.service': "Type=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'echo no program; exit 5'",
};

withRealLab('healthy', ['--machines', '1'], async (made) => {
  at = made;
  for (const [name, settings] of Object.entries(FILES)) await at.file(name, `[Service]\n${settings}\n`);
});

real('what dies in its first second is never launched, by the real systemd', async () => {
  for (const unit of ['early.service', 'false.service', 'exec.service', 'loop.service', 'never.service']) {
    for (const verb of ['start', 'restart']) {
      const ran = await at.run(verb, unit);
      expect(ran.stdout, `${verb} ${unit}`).not.toMatch(/launched|restarted/);
      // A start finds nothing to do while systemd has a crashed program running again.
      expect(ran.stderr, `${verb} ${unit}`).toContain(`Error: unit ${unit} failed on`);
      expect(ran.code).toBe(1);
    }
    await at.ok('destroy', unit);
  }
});

real('what stays up is launched, and what reports readiness is not delayed', async () => {
  const good = await at.ok('start', '--min-healthy', '1s', 'good.service');
  expect(good.stdout).toContain('Unit good.service launched');
  const begun = performance.now();
  const notify = await at.ok('start', '--min-healthy', '30s', 'notify.service');
  expect(notify.stdout).toContain('Unit notify.service launched');
  expect(performance.now() - begun).toBeLessThan(20_000);
});
