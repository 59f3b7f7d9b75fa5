import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import {
  APPLY_EXIT,
  APPLY_SCRIPT,
  BUILT_IN,
  FACTS_SCRIPT,
  FAILURES_SCRIPT,
  LAST_LINES_SCRIPT,
  LEFT_SCRIPT,
  MANIFEST_DIR,
  MANIFEST_SCRIPT,
  MISSING,
  OWNER_FILE,
  SETTLE_SCRIPT,
  UNINSTALL_SCRIPT,
  UNIT_DIR,
  UNIT_DIRS,
  UNSETTLED_DIR,
  VERIFY_SCRIPT,
} from '../../machine/index.ts';

import type { HollowCall } from './call.ts';
import { readDefinition } from './definition.ts';
import { runJournalctl } from './journalctl.ts';
import { runRebootScript } from './reboot-scripts.ts';
import type { HollowTree } from './tree.ts';

/** Recognises the constant scripts that our own client sends and does what they would do; undefined for anything else. */
export async function runScript(call: HollowCall): Promise<number | null | undefined> {
  const [shell, flag, text, , ...args] = call.argv;
  if (shell !== 'sh' || flag !== '-c') return undefined;
  if (text === APPLY_SCRIPT) return apply(call);
  if (text === MANIFEST_SCRIPT) return manifest(call);
  if (text === UNINSTALL_SCRIPT) return uninstalled(call.machine.tree);
  if (text === SETTLE_SCRIPT) return settle(call.machine.tree, args);
  if (text === FACTS_SCRIPT) return facts(call);
  if (text === FAILURES_SCRIPT) return failures(call, args);
  if (text === LAST_LINES_SCRIPT) return lastLines(call, args);
  if (text === VERIFY_SCRIPT) return verify(call, args);
  if (text === LEFT_SCRIPT) return processesLeft(call, args);
  return runRebootScript(call, text ?? '', args);
}

async function failures(call: HollowCall, [lines = '10', ...runs]: readonly string[]): Promise<number> {
  for (const run of runs) {
    const invocation = run.split(':', 1)[0] ?? '';
    const match = [`_SYSTEMD_INVOCATION_ID=${invocation}`, '+', `INVOCATION_ID=${invocation}`];
    await runJournalctl({
      ...call,
      argv: ['journalctl', '-q', '--output=cat', `--lines=${lines}`, ...match],
    });
    call.out('\0');
  }
  return 0;
}

async function lastLines(
  call: HollowCall,
  [lines = '10', since = '', priority = '', ...units]: readonly string[],
): Promise<number> {
  const choice = [...(since ? [`--since=${since}`] : []), ...(priority ? [`--priority=${priority}`] : [])];
  let code = 0;
  for (const unit of units) {
    const argv = ['journalctl', '-q', '--output=json', `--lines=${lines}`, ...choice, `--unit=${unit}`];
    code = (await runJournalctl({ ...call, argv })) || code;
    call.out('\0');
  }
  return code;
}

function processesLeft({ machine, out }: HollowCall, patterns: readonly string[]): number {
  for (const pattern of patterns) {
    const unit = pattern.replace(/\\(.)/g, '$1');
    const main = machine.systemd.peek(unit)?.mainPid ? 1 : 0;
    out(`${main + (machine.outliving.get(unit) ?? 0)}\n`);
  }
  return 0;
}

/** Of all that systemd-analyze checks, only what makes systemd refuse the unit. */
async function verify({ stdin, out }: HollowCall, [unit = '']: readonly string[]): Promise<number> {
  const { bad } = readDefinition(unit, (await stdin()).toString('utf8'));
  if (bad === null) return 0;
  out(`${unit}: ${bad}. Refusing.\nUnit ${unit} has a bad unit file setting.\n`);
  return 1;
}

function facts({ machine, root, out }: HollowCall): number {
  const { id, kernel, architecture, systemd } = machine.facts();
  const memoryKb = /^MemTotal: *(\d+) kB$/m.exec(machine.tree.text('/proc/meminfo') ?? '')?.[1] ?? '';
  const processors = machine.tree.text('/proc/cpuinfo')?.match(/^processor/gm)?.length ?? '';
  const boot = machine.tree.text('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  const os = /PRETTY_NAME="([^"]*)"/.exec(machine.tree.text('/etc/os-release') ?? '')?.[1] ?? '';
  const sudo = root ? 'root' : machine.faults.sudoRefused ? 'denied' : 'sudo';
  const rows: Record<string, string> = {
    'machine-id': id,
    'boot-id': boot,
    hostname: machine.hostname,
    os,
    systemd: `systemd ${systemd}`,
    kernel,
    architecture,
    'memory-kb': memoryKb,
    cpus: String(processors),
    sudo,
  };
  for (const [key, value] of Object.entries(rows)) out(`${key} ${value}\n`);
  for (const file of ['os-release', 'machine-info']) {
    const lines = (machine.tree.text(`/etc/${file}`) ?? '').split('\n');
    for (const line of lines.filter((text) => text !== '')) out(`${file} ${line}\n`);
  }
  return 0;
}

function uninstalled(tree: HollowTree): number {
  tree.remove(`${UNIT_DIR}/multi-user.target.wants/cluster.target`);
  tree.remove(`${UNIT_DIR}/cluster.target`);
  for (const path of ['/opt/cluster', '/etc/cluster/environment']) tree.remove(path);
  return 0;
}

function settle(tree: HollowTree, tickets: readonly string[]): number {
  for (const ticket of tickets) tree.remove(`${UNSETTLED_DIR}/${ticket}`);
  return 0;
}

function manifest({ machine: { tree }, out }: HollowCall): number {
  const owner = tree.text(OWNER_FILE);
  if (owner !== null) out(`= ${owner.split('\n')[0] ?? ''}\n`);
  for (const ticket of tree.list(UNSETTLED_DIR)) {
    const units = (tree.text(`${UNSETTLED_DIR}/${ticket}`) ?? '').split('\n').filter((line) => line !== '');
    for (const unit of units) out(` ${ticket} ${unit}\n`);
  }
  for (const unit of tree.list(MANIFEST_DIR)) {
    const hash = tree.stat(`${UNIT_DIR}/${unit}`)
      ? (tree.text(`${MANIFEST_DIR}/${unit}`) ?? '').trim()
      : MISSING;
    const boots = tree.stat(`${UNIT_DIR}/cluster.target.wants/${unit}`);
    out(`${unit} ${hash} ${boots ? 'boot' : 'idle'}\n`);
  }
  return 0;
}

/** What the tar on stdin holds: path to text, or to a link's target. */
type Stage = ReadonlyMap<string, { readonly text: string; readonly link: string | null }>;

async function apply(call: HollowCall): Promise<number> {
  const { machine, root, out, err } = call;
  const { tree, faults } = machine;
  const packed = await call.stdin();
  if (!root) {
    err(`mkdir: cannot create directory '/etc/cluster': Permission denied\n`);
    return 1;
  }
  if (faults.diskFull) {
    err(
      `mktemp: failed to create directory via template '${UNIT_DIR}/.cluster-stage.XXXXXX': No space left on device\n`,
    );
    return 1;
  }
  const stage = await unpack(packed).catch(() => null);
  if (!stage?.has('complete')) return APPLY_EXIT.incomplete;
  const owner = otherOwner(tree, stage);
  if (owner !== null) {
    out(`owner ${owner}\n`);
    return APPLY_EXIT.owned;
  }
  const foreign = foreignUnits(tree, stage);
  const claims = foreignClaims(tree, stage);
  if (foreign.length + claims.length > 0) {
    for (const unit of foreign) out(`foreign ${unit}\n`);
    for (const claim of claims) out(`claimed ${claim}\n`);
    return APPLY_EXIT.foreign;
  }
  changeOwner(tree, stage);
  if (unitsIn(stage).length + listed(stage, 'remove').length === 0) return 0;
  tree.diskFull = false;
  install(tree, stage, 'unsettled', UNSETTLED_DIR);
  install(tree, stage, 'pending', MANIFEST_DIR);
  for (const unit of listed(stage, 'remove'))
    if (tree.stat(`${MANIFEST_DIR}/${unit}`)) removeUnit(tree, unit);
  for (const unit of listed(stage, 'idle')) tree.remove(`${UNIT_DIR}/cluster.target.wants/${unit}`);
  const target = stage.get('cluster.target');
  if (target) tree.write(`${UNIT_DIR}/cluster.target`, Buffer.from(target.text));
  install(tree, stage, 'enable', `${UNIT_DIR}/multi-user.target.wants`);
  install(tree, stage, 'wants', `${UNIT_DIR}/cluster.target.wants`);
  install(tree, stage, 'units', UNIT_DIR);
  install(tree, stage, 'manifest', MANIFEST_DIR);
  return 0;
}

async function unpack(packed: Buffer): Promise<Stage> {
  const stage = new Map<string, { text: string; link: string | null }>();
  const entries = Readable.from([packed]).pipe(extract());
  for await (const entry of entries) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(Buffer.from(chunk as Uint8Array));
    const { name, type, linkname } = entry.header;
    stage.set(name, {
      text: Buffer.concat(chunks).toString('utf8'),
      link: type === 'symlink' ? (linkname ?? '') : null,
    });
  }
  return stage;
}

function unitsIn(stage: Stage): string[] {
  const paths = [...stage.keys()].filter((path) => path.startsWith('units/'));
  return paths.map((path) => path.slice('units/'.length));
}

function foreignUnits(tree: HollowTree, stage: Stage): string[] {
  const foreign = unitsIn(stage).filter(
    (unit) =>
      !tree.stat(`${MANIFEST_DIR}/${unit}`) &&
      tree.text(`${UNIT_DIR}/${unit}`) !== stage.get(`units/${unit}`)?.text &&
      isTaken(tree, unit),
  );
  const target = tree.text(`${UNIT_DIR}/cluster.target`);
  return target === null || target.startsWith('# Written by cluster\n')
    ? foreign
    : [...foreign, 'cluster.target'];
}

/** What a change says of the machine's owner; null where it says nothing. */
function ownerIn(stage: Stage): { how: string; id: string; generation: string; mark: string } | null {
  const [how = '', id = '', generation = '', mark = ''] = (stage.get('owner')?.text.trim() ?? '').split(' ');
  return how === '' ? null : { how, id, generation, mark };
}

/** The id of another cluster, which keeps a change from being made. */
function otherOwner(tree: HollowTree, stage: Stage): string | null {
  const change = ownerIn(stage);
  const [has = ''] = (tree.text(OWNER_FILE) ?? '').trim().split(' ');
  return change === null || change.how === 'take' || has === '' || has === change.id ? null : has;
}

function changeOwner(tree: HollowTree, stage: Stage): void {
  const change = ownerIn(stage);
  if (change === null) return;
  const { how, id, generation, mark } = change;
  const [has = '', seen = ''] = (tree.text(OWNER_FILE) ?? '').trim().split(' ');
  if (how === 'leave') tree.remove(OWNER_FILE);
  else if (how === 'take' || has !== id || Number(seen) < Number(generation))
    tree.write(OWNER_FILE, Buffer.from(`${id} ${generation} ${mark}\n`));
}

function foreignClaims(tree: HollowTree, stage: Stage): string[] {
  return listed(stage, 'claims').filter((line) => {
    const [key = '', unit = '', name = ''] = line.split(' ');
    const comes = stage.has(`units/${name}`);
    if (/\/|^\./.test(name)) return false;
    if (key === 'Also' && (comes || tree.stat(`${MANIFEST_DIR}/${name}`))) return false;
    if (key === 'Alias' && tree.readlink(`${UNIT_DIR}/${name}`)?.split('/').at(-1) === unit) return false;
    return comes || isTaken(tree, name);
  });
}

/** Whether there is a unit of this name, or the template that it would be an instance of. */
function isTaken(tree: HollowTree, name: string): boolean {
  const names = [name, ...(/@.*\./.test(name) ? [name.replace(/@.*\./, '@.')] : [])];
  return names.some(
    (one) => BUILT_IN.some((unit) => unit === one) || UNIT_DIRS.some((dir) => tree.stat(`${dir}/${one}`)),
  );
}

function install(tree: HollowTree, stage: Stage, from: string, to: string): void {
  for (const [path, { text, link }] of stage) {
    if (!path.startsWith(`${from}/`)) continue;
    const place = `${to}/${path.slice(from.length + 1)}`;
    if (link === null) tree.write(place, Buffer.from(text));
    else tree.link(place, link);
  }
}

function removeUnit(tree: HollowTree, unit: string): void {
  for (const name of tree.list(UNIT_DIR)) {
    const path = `${UNIT_DIR}/${name}`;
    if (/\.(wants|requires|upholds)$/.test(name)) tree.remove(`${path}/${unit}`);
    const link = tree.readlink(path);
    if (link === unit || link === `${UNIT_DIR}/${unit}`) tree.remove(path);
  }
  tree.remove(`${UNIT_DIR}/${unit}`);
  tree.remove(`${MANIFEST_DIR}/${unit}`);
}

function listed(stage: Stage, file: string): string[] {
  return (stage.get(file)?.text ?? '').split('\n').filter((line) => line !== '');
}
