import type { Config } from '@oclif/core';
import { BIN, DESCRIPTION, TOPICS, VERSION } from './about.ts';
import type { Manifest } from './model.ts';

/**
 * The part of oclif's Config that commands and help read. The real one finds plugins, themes, shells and home
 * directories before it runs anything; there is one root and no plugin here. With no manifest it serves a run, with one
 * it serves help.
 */
export function slimConfig(manifest?: Manifest): Config {
  const commands = Object.values(manifest?.commands ?? {}).map((command) => ({ ...command }));
  const topics = Object.entries(TOPICS)
    .filter(([name]) => commands.some((command) => command.id.startsWith(`${name}:`)))
    .map(([name, description]) => ({ name, description }));
  const config = {
    name: BIN,
    bin: BIN,
    version: VERSION,
    userAgent: `${BIN} version ${VERSION}`,
    root: '',
    platform: process.platform,
    shell: process.env.SHELL ?? '',
    topicSeparator: ' ',
    isSingleCommandCLI: false,
    flexibleTaxonomy: false,
    plugins: new Map(),
    pjson: { name: BIN, version: VERSION, description: DESCRIPTION, oclif: {} },
    commandIDs: commands.map((command) => command.id),
    commands,
    topics,
    findCommand: (id: string) => commands.find((command) => command.id === id),
    findTopic: (name: string) => topics.find((topic) => topic.name === name),
    runHook: async () => ({ successes: [], failures: [] }),
    scopedEnvVar: (name: string) => process.env[`CLUSTER_${name}`],
    scopedEnvVarTrue: (name: string) => /^(1|true|yes)$/i.test(process.env[`CLUSTER_${name}`] ?? ''),
  };
  return config as unknown as Config;
}
