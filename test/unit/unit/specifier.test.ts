import { describe, expect, test } from 'vitest';
import { type MachineFacts, renderUnit } from '../../../src/lib/unit/index.ts';

const facts: MachineFacts = {
  hostname: 'db1.example.org',
  machineId: '0123456789abcdef0123456789abcdef',
  bootId: '01234567-89ab-cdef-0123-456789abcdef',
  kernel: '6.1.0',
  architecture: 'x86_64',
};

const rendered = (value: string, extra: Partial<MachineFacts> = {}): string =>
  renderUnit(`[Service]\nEnvironment=${value}\n`, 'a-b@c.service', { ...facts, ...extra })
    .split('\n')[1]
    ?.slice('Environment='.length) ?? '';

describe('specifiers of the machine', () => {
  test.each([
    ['x86_64', 'x86-64'],
    ['x86-64', 'x86-64'],
    ['aarch64', 'arm64'],
    ['i686', 'x86'],
    ['armv7l', 'arm'],
    ['ppc64le', 'ppc64-le'],
    ['s390x', 's390x'],
    ['riscv64', 'riscv64'],
  ])('%%a: what uname calls %s, systemd calls %s', (architecture, expected) =>
    expect(rendered('%a', { architecture })).toBe(expected),
  );

  test.each([
    ['%H %l %q', 'db1.example.org db1 db1.example.org'],
    ['%m %b', '0123456789abcdef0123456789abcdef 0123456789abcdef0123456789abcdef'],
    ['%u %U %g %G %h %s', 'root 0 root 0 /root /bin/bash'],
    ['100%% 5%', '100% 5%'],
  ])('%j', (text, expected) => expect(rendered(text)).toBe(expected));
});
