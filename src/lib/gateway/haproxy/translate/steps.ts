import { createHash } from 'node:crypto';
import { encodeName } from '../names.ts';
import { FEW, ofFrontend } from './text.ts';

/** The frontends that do the same thing as the same step of theirs. */
export interface Group {
  /** Name of their table. It begins with a colon and a lower-case letter, so that no id of the registry can have it. */
  readonly table: string;
  /** The condition for them. */
  readonly mine: string;
  /** Whether they are more than one, so that their keys need the frontend's name. */
  readonly isShared: boolean;
}

interface Shared {
  readonly frontends: string[];
  readonly build: (group: Group) => readonly string[];
}

/**
 * What middlewares do, step by step: first the first middleware of every frontend, then the second. Equal
 * ones share their rules, however many frontends have them, since each rule costs every request some time.
 */
export class Steps {
  /** Sections with the tables of the limits; complete after `lines`. */
  readonly tables: string[] = [];
  /** By file name: frontend's name -> number of the group that it is in. */
  readonly maps = new Map<string, ReadonlyMap<string, string>>();
  readonly #shared: Map<string, Shared>[] = [];
  readonly #own: string[][] = [];

  /** @param settings everything that `build` depends on. */
  share(
    position: number,
    frontend: string,
    settings: object,
    build: (group: Group) => readonly string[],
  ): void {
    const groups = this.#shared[position] ?? new Map<string, Shared>();
    this.#shared[position] = groups;
    const key = JSON.stringify(settings);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { frontends: [frontend], build });
    else group.frontends.push(frontend);
  }

  own(position: number, rules: readonly string[]): void {
    const own = this.#own[position] ?? [];
    this.#own[position] = own;
    own.push(...rules);
  }

  /** All rules; to be called once, after everything is added. */
  lines(): string[] {
    const last = Math.max(this.#shared.length, this.#own.length);
    return Array.from({ length: last }, (_, position) => [
      ...this.#sharedLines(position),
      ...(this.#own[position] ?? []),
    ]).flat();
  }

  #sharedLines(position: number): string[] {
    const variable = `txn.g${position}`;
    const map = `groups${position}.map`;
    const numbers = new Map<string, string>();
    const rules: string[] = [];
    // By their settings, so that one more frontend of a group does not move the others.
    const groups = [...(this.#shared[position] ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    const isNumbered = groups.length > FEW || groups.some(([, { frontends }]) => frontends.length > 1);
    for (const [index, [key, { frontends, build }]] of groups.entries()) {
      const isShared = frontends.length > 1;
      const name = encodeName(frontends[0] ?? '');
      if (isNumbered) for (const frontend of frontends) numbers.set(encodeName(frontend), String(index));
      rules.push(
        ...build({
          table: isShared ? `:group:${position}:${hash(key)}` : `:limit:${position}:${name}`,
          mine: isNumbered ? `{ var(${variable}) -m int eq ${index} }` : ofFrontend(name),
          isShared,
        }),
      );
    }
    if (!isNumbered) return rules;
    this.maps.set(map, numbers);
    return [`http-request set-var(${variable}) var(txn.fe),map_str_int(${map})`, ...rules];
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
