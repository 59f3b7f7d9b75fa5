/**
 * HAProxy behind the Proxy port. It must not read the registry, and nothing outside of it knows HAProxy's words.
 */
import type { ProxyKind } from '../proxy.ts';
import { HaproxyProxy } from './driver.ts';
import { notesOf } from './translate/translate.ts';

/** HAProxy 2.6 or newer, as Debian has it. */
export const haproxy: ProxyKind = {
  name: 'haproxy',
  notes: notesOf,
  open: (options) => new HaproxyProxy(options, haproxy),
};
