/**
 * The placement rules, one file each: which machines can have a unit, and in the same file why the others cannot.
 * A rule must not place, move or rank anything: place.ts does the first two, prefer/ the third.
 */
import { conflicts } from './conflicts.ts';
import { cordoned } from './cordoned.ts';
import { cpu } from './cpu.ts';
import { endlessReplacing } from './endless-replacing.ts';
import { machineId } from './machine-id.ts';
import { machineMetadata } from './machine-metadata.ts';
import { machineOf } from './machine-of.ts';
import { maxPerMachine } from './max-per-machine.ts';
import { memory } from './memory.ts';
import { ports } from './ports.ts';
import { replaces } from './replaces.ts';
import type { Rule } from './rule.ts';
import { unreachable } from './unreachable.ts';

/** All rules. Where several exclude a machine, the first one here gives the reason: fleet's order, then ours. */
export const RULES: readonly Rule[] = [
  machineId,
  machineMetadata,
  machineOf,
  conflicts,
  replaces,
  maxPerMachine,
  ports,
  cordoned,
  unreachable,
  memory,
  cpu,
  endlessReplacing,
];
