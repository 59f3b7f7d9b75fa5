import { readFile } from 'node:fs/promises';
import { ClusterError } from '../../error.ts';
import { type ExtraUnit, type Plan, planInventory } from '../../plan/index.ts';
import { NO_IDENTITY, type RegistryState } from '../../registry/index.ts';
import { findFiles } from './find-files.ts';
import { noTemplate } from './name-units.ts';

/** A plan from a file of machines and units alone: no registry, no machine. */
export async function planOnPaper(path: string, args: readonly string[]): Promise<Plan> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ClusterError('inventory-invalid', `cannot read inventory ${path}: ${error.code}`, {
      file: path,
      hint: 'check the path',
    });
  });
  const inventory = await parse(text, path);
  return planInventory(inventory, await extras(inventory, args));
}

async function parse(text: string, path: string): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch {
    const { parseDocument, LineCounter } = await import('yaml');
    const lineCounter = new LineCounter();
    const document = parseDocument(text, { lineCounter });
    const [error] = document.errors;
    if (error === undefined) return document.toJS();
    const { line } = lineCounter.linePos(error.pos[0]);
    throw new ClusterError(
      'inventory-invalid',
      `${path}:${line}: not YAML or JSON: ${error.message.split(' at line ')[0]}`,
      { file: path, line, hint: 'see cluster plan --help' },
    );
  }
}

async function extras(inventory: unknown, args: readonly string[]): Promise<ExtraUnit[]> {
  if (args.length === 0) return [];
  const units = (inventory as { units?: unknown } | null)?.units;
  const known = Array.isArray(units) ? (units as { name?: unknown; file?: unknown }[]) : [];
  const state = onPaper(known);
  // The plan is about the file that is named, as with --replace.
  const found = await findFiles(state, args, true, noTemplate);
  return found.map(({ name, text, differs }) => ({ name, file: differs?.text ?? text }));
}

/** Lets arguments name units and templates of the inventory as if they were in a registry. */
function onPaper(known: readonly { name?: unknown; file?: unknown }[]): RegistryState {
  const texts = known.flatMap(({ name, file }) =>
    typeof name === 'string' && typeof file === 'string' ? [[name, file] as const] : [],
  );
  return {
    machines: new Map(),
    units: new Map(
      texts.map(([name]) => [name, { v: 1, name, hash: name, desired: 'inactive', machine: null }]),
    ),
    files: new Map(texts),
    leaving: new Map(),
    problems: [],
    unreadable: new Set(),
    identity: NO_IDENTITY,
    moved: null,
    revisions: new Map(),
    revision: 0,
  };
}
