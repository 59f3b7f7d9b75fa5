import { effectiveValues, type UnitFile } from './file.ts';
import { splitUnitName, type UnitName } from './name.ts';
import { expandSpecifiers, resolveByName } from './specifier.ts';
import { literalEnvironment } from './variables.ts';

/** What a unit's commands name that can be announced to gateways. */
export interface Announces {
  /** Names of containers: `docker run --name NAME`. */
  readonly containers: ReadonlySet<string>;
  /** Ids of services: `SERVICE_ID=ID`. */
  readonly services: ReadonlySet<string>;
  /** `BACKEND/SERVER`, of commands that write a server themselves. */
  readonly servers: ReadonlySet<string>;
}

/** What only a machine knows and names of containers and servers are made of. */
export interface AnnouncesFacts {
  readonly hostname: string;
  readonly machineId: string;
}

const COMMANDS = ['ExecStartPre', 'ExecStart', 'ExecStartPost', 'ExecStop', 'ExecStopPost'];
const WORD = `["']?([^\\s"';&|]+)`;

/**
 * The containers and servers that the commands of a unit name, variables of `Environment=` and specifiers replaced. A
 * variable whose value the file does not say stays as it is, and so names nothing.
 */
export function announcesOf(unit: string, file: UnitFile, facts: AnnouncesFacts): Announces {
  const name = splitUnitName(unit);
  const specifiers = (text: string): string =>
    expandSpecifiers(text, (letter) => specifierValue(letter, name, facts));
  const environment = literalEnvironment(file);
  const variables = (text: string): string =>
    text.replace(/\$\{(\w+)\}|\$(\w+)/g, (all, braced?: string, bare?: string) => {
      const value = environment.get(braced ?? bare ?? '');
      return value === undefined ? all : specifiers(value);
    });
  const commands = COMMANDS.flatMap((key) => effectiveValues(file, 'Service', key))
    .map((value) => variables(specifiers(value)))
    .join('\n');

  const inherited = environment.get('SERVICE_ID');
  return {
    containers: new Set(found(commands, `(?:^|\\s)--name[=\\s]\\s*${WORD}`)),
    services: new Set([
      ...found(commands, `\\bSERVICE(?:_\\d+)?_ID=${WORD}`),
      ...(inherited === undefined ? [] : [specifiers(inherited)]),
    ]),
    servers: new Set([
      ...[...commands.matchAll(/\/backends\/([^\s/"']+)\/servers\/([^\s/"']+)/g)].map(
        ([, backend = '', id = '']) => `${backend}/${id}`,
      ),
      ...commands.split('\n').flatMap(upserted),
    ]),
  };
}

/** The server of a `cluster server upsert --backend BACKEND --id ID`. */
function upserted(command: string): string[] {
  if (!/\sserver\s+upsert\s/.test(command)) return [];
  const [backend] = found(command, `\\s--?(?:backend|b)[=\\s]\\s*${WORD}`);
  const [id] = found(command, `\\s--?id[=\\s]\\s*${WORD}`);
  return backend === undefined || id === undefined ? [] : [`${backend}/${id}`];
}

const found = (text: string, pattern: string): string[] =>
  [...text.matchAll(new RegExp(pattern, 'g'))].map(([, word = '']) => word);

function specifierValue(letter: string, name: UnitName | null, facts: AnnouncesFacts): string | null {
  if (letter === 'H') return facts.hostname;
  if (letter === 'l') return facts.hostname.split('.')[0]!;
  if (letter === 'm') return facts.machineId;
  try {
    return name === null ? null : resolveByName(letter, name);
  } catch {
    // An instance that cannot be unescaped: systemd will not run the unit either.
    return null;
  }
}
