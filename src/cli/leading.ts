import { aliases, findCommand } from './find.ts';
import type { Manifest } from './model.ts';
import { GLOBAL } from './oclif.ts';

const VULCAN = { type: 'option', helpGroup: GLOBAL };

/**
 * Global flags, and vctl's `--vulcan URL`, may come before the name of the command, as with fleetctl: they are moved
 * behind it. A line that does not start with such flags and a command is returned unchanged.
 */
export function commandFirst(argv: readonly string[], manifest: Manifest): readonly string[] {
  const flags = manifest.commands['list-units']?.flags ?? {};
  const moved: string[] = [];
  let at = 0;
  for (let word = argv[at]; word?.startsWith('-'); word = argv[at]) {
    const [name = '', value] = word.replace(/^--|^-(?=vulcan)/, '').split(/=(.*)/s);
    const flag = name === 'vulcan' ? VULCAN : flags[name];
    if (flag?.helpGroup !== GLOBAL) return argv;
    const next = argv[at + 1];
    if (flag.type === 'boolean' || value !== undefined) moved.push(word);
    else if (next === undefined) return argv;
    else moved.push(`${word}=${next}`);
    at += flag.type === 'boolean' || value !== undefined ? 1 : 2;
  }
  const line = argv.slice(at);
  const names = aliases(manifest);
  const found = findCommand(line, { has: (id) => Object.hasOwn(manifest.commands, id) || names.has(id) });
  if (found === undefined) return argv;
  return [...line.slice(0, line.length - found.rest.length), ...moved, ...found.rest];
}
