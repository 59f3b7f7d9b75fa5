import type { Command } from '@oclif/core';
import { Help } from '@oclif/core/help';
import { slimConfig } from './config.ts';
import { aliases, findCommand } from './find.ts';
import { readManifest } from './manifest.ts';
import { unknownCommand } from './usage.ts';

/** Help for a command, a topic or all of it. @throws {ClusterError} unknown-command. */
export async function showHelp(argv: readonly string[]): Promise<void> {
  const manifest = await readManifest();
  const config = slimConfig(manifest);
  const help = new OpenHelp(config, { hideAliasesFromRoot: true, respectNoCacheDefault: true });
  const words = argv.filter((word) => !word.startsWith('-'));
  if (words.length === 0) return await help.showRootHelp();
  const names = new Map([
    ...Object.keys(manifest.commands).map((id) => [id, id] as const),
    ...aliases(manifest),
  ]);
  const found = findCommand(words, names);
  if (found !== undefined) {
    const command = config.findCommand(names.get(found.id) ?? found.id) as Command.Loadable;
    return await help.showCommandHelp(command);
  }
  const topic = words.length === 1 ? config.findTopic(words[0]!) : undefined;
  if (topic === undefined) throw await unknownCommand(words);
  await help.showTopicHelp(topic);
}

/** oclif keeps these to itself. */
class OpenHelp extends Help {
  /** oclif lists a topic only where another topic is below it; each of ours has commands. */
  protected override get sortedTopics(): Help['config']['topics'] {
    return [...this.config.topics].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  override async showRootHelp(): Promise<void> {
    await super.showRootHelp();
  }

  override async showTopicHelp(topic: Parameters<Help['showTopicHelp']>[0]): Promise<void> {
    await super.showTopicHelp(topic);
  }
}
