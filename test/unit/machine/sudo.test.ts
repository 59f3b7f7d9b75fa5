import { expect, test } from 'vitest';
import { sudoRefusal } from '../../../src/lib/machine/ssh/sudo.ts';

test.each([
  ['sudo: a password is required\n', 'password'],
  ['sudo: a terminal is required to read the password; either use the -S option\n', 'password'],
  ['sudo: sorry, you must have a tty to run sudo\n', 'terminal'],
  ["Sorry, user deploy is not allowed to execute '/usr/bin/sh -c\n:' as root on web.\n", 'not-allowed'],
  ['Sorry, user deploy may not run sudo on web.\n', 'not-allowed'],
  ['deploy is not in the sudoers file.\n', 'not-in-sudoers'],
  ['deploy is not in the sudoers file.  This incident will be reported.\n', 'not-in-sudoers'],
  ['sh: 1: sudo: not found\n', 'missing'],
  ['sh: line 1: sudo: command not found\n', 'missing'],
  ['sudo: unable to resolve host web: Name or service not known\nsudo: a password is required\n', 'password'],
  ['sudo: /etc/sudo.conf is owned by uid 1000, must be owned by root\n', 'unknown'],
  ['tar: this does not look like sudo: a tar archive\n', null],
  ['Unit sudo.service could not be found.\n', null],
])('%j is %s', (stderr, refusal) => {
  expect(sudoRefusal(stderr)).toBe(refusal);
});
