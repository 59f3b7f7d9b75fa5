import { BIN } from './about.ts';
import { aliases, findCommand } from './find.ts';
import type { Manifest } from './model.ts';
import { GLOBAL, helpPages } from './oclif.ts';
import { unknownCommand } from './usage.ts';

const MORE = `${BIN} help COMMAND describes a command.\n${BIN} help flags lists the flags that all commands share.\n`;

/**
 * Prints help on a command, a topic, the global flags (`flags`) or, with no words, all of it; `all` includes hidden
 * commands and global flags.
 * @throws ClusterError `unknown-command`.
 */
export async function showHelp(words: readonly string[], all: boolean, manifest: Manifest): Promise<void> {
  const pages = await helpPages(manifest, all);
  const globalFlags = () =>
    `${pages.flags('GLOBAL FLAGS', globalFlagsOf(manifest))}\n\nCommands take these flags after their name or before it.\n`;

  if (words.length === 0) {
    await pages.root();
    process.stdout.write(all ? globalFlags() : MORE);
    return;
  }
  if (words.length === 1 && words[0] === 'flags') {
    process.stdout.write(globalFlags());
    return;
  }

  const names = new Map([
    ...Object.keys(manifest.commands).map((id) => [id, id] as const),
    ...aliases(manifest),
  ]);
  const found = findCommand(words, names);
  if (found !== undefined) return await pages.command(names.get(found.id) ?? found.id);
  const topic = words[0] ?? '';
  const isTopic = Object.keys(manifest.commands).some((id) => id.startsWith(`${topic}:`));
  if (words.length > 1 || !isTopic) throw await unknownCommand(words, manifest);
  await pages.topic(topic);
}

function globalFlagsOf({ commands }: Manifest): Manifest['commands'][string]['flags'] {
  const all = Object.values(commands).flatMap(({ flags }) => Object.entries(flags));
  return Object.fromEntries(all.filter(([, flag]) => flag.helpGroup === GLOBAL));
}
