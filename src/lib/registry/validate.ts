import type { LeavingUnit } from '../plan/model.ts';
import { isHostWord, isUserWord } from '../shell-words.ts';
import { parseUnitName } from '../unit/index.ts';
import { type Fields, fields, text, version } from './fields.ts';
import type { MachineRecord, UnitRecord } from './model.ts';

function textsIn(of: Fields, name: string): Readonly<Record<string, string>> {
  const found = fields(of[name], `"${name}"`);
  for (const key of Object.keys(found)) text(found, key);
  return found as Readonly<Record<string, string>>;
}

/** @throws Error whose message names the field that is wrong. */
export function readUnit(value: unknown, name: string): UnitRecord {
  const of = fields(value, 'unit');
  const desired = text(of, 'desired');
  if (desired !== 'inactive' && desired !== 'loaded' && desired !== 'launched')
    throw new Error(`"desired" is ${JSON.stringify(desired)}, not inactive, loaded or launched`);
  const machine = of.machine === null ? null : text(of, 'machine');
  parseUnitName(name);
  if (text(of, 'name') !== name)
    throw new Error(`"name" is ${JSON.stringify(of.name)}, the key says ${name}`);
  const hashes = of.hashes === undefined ? {} : { hashes: textsIn(of, 'hashes') };
  return { v: version(of), name, hash: text(of, 'hash'), desired, machine, ...hashes };
}

/** @throws Error whose message names the field that is wrong. */
export function readLeaving(value: unknown, key: string): LeavingUnit {
  const of = fields(value, 'leaving unit');
  const [unit, machine] = [text(of, 'unit'), text(of, 'machine')];
  if (`${unit}/${machine}` !== key) throw new Error(`it is about ${JSON.stringify(`${unit}/${machine}`)}`);
  parseUnitName(unit);
  return { v: version(of), unit, machine };
}

const HOST_KEY = /^[\w.@-]+ [A-Za-z0-9+/]+=*$/;
/** No spaces, control characters or leading dash: it becomes an argument of ssh. */
const WORD = /^[^\s\p{C}-][^\s\p{C}]*$/u;
const MAX_PORT = 65_535;
const FACTS = ['machineId', 'bootId', 'hostname', 'os', 'kernel', 'architecture', 'sudo'] as const;

/** @throws Error whose message names the field that is wrong. */
export function readMachine(value: unknown, id: string): MachineRecord {
  const of = fields(value, 'machine');
  const target = fields(of.target, '"target"');
  const facts = fields(of.facts, '"facts"');
  // They reach ssh, and by it the commands of the operator's own configuration.
  if (!isHostWord(text(target, 'address')))
    throw new Error('"target.address" is not an address that ssh takes');
  if (!isUserWord(text(target, 'user'))) throw new Error('"target.user" is not a user that ssh takes');
  const { port, hostKeys = [] } = target;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > MAX_PORT)
    throw new Error('"target.port" is not a port number');
  for (const name of ['identity', 'knownHosts'])
    if (target[name] !== undefined && /["\p{Cc}]/u.test(text(target, name)))
      throw new Error(`"target.${name}" is no path that an SSH configuration can hold`);
  if (!Array.isArray(hostKeys) || !hostKeys.every((key) => HOST_KEY.test(String(key))))
    throw new Error('"target.hostKeys" is not a list of "type base64"');
  for (const name of FACTS) text(facts, name);
  if (typeof facts.systemd !== 'number') throw new Error('"facts.systemd" is not a number');
  for (const name of ['memory', 'cpus'])
    if (facts[name] !== undefined && !(Number.isSafeInteger(facts[name]) && Number(facts[name]) > 0))
      throw new Error(`"facts.${name}" is not a whole number above 0`);
  for (const [key, item] of Object.entries(fields(of.metadata, '"metadata"')))
    if (typeof item !== 'string') throw new Error(`"metadata.${key}" is not a text`);
  if (text(of, 'id') !== id) throw new Error(`"id" is ${JSON.stringify(of.id)}, the key says ${id}`);
  if (!WORD.test(id) || id.includes('/')) throw new Error('the key names no machine id');
  return {
    v: version(of),
    id,
    target: target as unknown as MachineRecord['target'],
    facts: facts as unknown as MachineRecord['facts'],
    metadata: of.metadata as Record<string, string>,
    ...(of.owned === true && { owned: true }),
    ...(of.cordons !== undefined && { cordons: readCordons(fields(of.cordons, '"cordons"')) }),
  };
}

function readCordons(of: Fields): NonNullable<MachineRecord['cordons']> {
  for (const [owner, value] of Object.entries(of)) {
    if (!/^(operator|rollout\/[1-9]\d{0,14})$/.test(owner))
      throw new Error(`"cordons" has the owner ${JSON.stringify(owner)}`);
    const cordon = fields(value, `"cordons.${owner}"`);
    for (const name of ['who', 'since']) text(cordon, name);
    if (cordon.reason !== undefined) text(cordon, 'reason');
    const { globals = [] } = cordon;
    if (!Array.isArray(globals) || !globals.every((unit) => typeof unit === 'string'))
      throw new Error(`"cordons.${owner}.globals" is not a list of units`);
  }
  return of as NonNullable<MachineRecord['cordons']>;
}

/** @throws Error whose message names the field that is wrong. */
export function readFileText(value: unknown): string {
  const of = fields(value, 'file');
  version(of);
  return text(of, 'text');
}
