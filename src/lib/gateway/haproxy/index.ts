import type { ProxyKind } from '../proxy.ts';
import { HaproxyProxy } from './driver.ts';
import { notesOf } from './translate/translate.ts';

/** HAProxy 2.6 or newer, as Debian has it. */
export const haproxy: ProxyKind = {
  name: 'haproxy',
  notes: notesOf,
  open: (options) => new HaproxyProxy(options, haproxy),
};
