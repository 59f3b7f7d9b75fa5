import type { TrafficWanted } from '../lib/control/known-names.ts';
import type { Manifest } from './model.ts';

type Flags = Manifest['commands'][string]['flags'];

/** Whose ids a topic's `--id`, `--name` and argument are. */
const OWN: Readonly<Record<string, TrafficWanted['kind']>> = {
  backend: 'backend',
  frontend: 'frontend',
  server: 'server',
  host: 'host',
  listener: 'listener',
  connlimit: 'middleware',
  ratelimit: 'middleware',
  rewrite: 'middleware',
  cbreaker: 'middleware',
  trace: 'middleware',
};
const TOPIC = new RegExp(`^(${Object.keys(OWN).join('|')}|top|log|secret|gateway|registrator)(:|$)`);

/** What may stand at the end of a traffic command's line: ids of a kind, after `before`. */
export interface TrafficPlace {
  readonly wanted: TrafficWanted | null;
  /** The part of the last word that stays, such as `--backend=`. */
  readonly before: string;
}

/** Null for what is no command of traffic. `rest` is what follows the command; its last word is being typed. */
export function trafficPlace(
  id: string,
  rest: readonly string[],
  command: Pick<Manifest['commands'][string], 'flags' | 'args'>,
): TrafficPlace | null {
  if (!TOPIC.test(id)) return null;
  const current = rest.at(-1) ?? '';
  const { values, words, open } = readLine(rest.slice(0, -1), command.flags);
  const [, before = '', flag] = /^(--?([A-Za-z][\w-]*)=)/.exec(current) ?? [];
  const named = flag === undefined ? open : flagNamed(flag, command.flags);
  if (named !== undefined) return { wanted: ofFlag(named, id, values), before };
  const takes = Object.keys(command.args)[0];
  const free = words === 0 && !current.startsWith('-') && (takes === 'id' || takes === 'name');
  return { wanted: free ? ofFlag(takes, id, values) : null, before: '' };
}

function ofFlag(flag: string, id: string, values: ReadonlyMap<string, string>): TrafficWanted | null {
  const topic = id.replace(/:.*/, '');
  if (flag === 'backend' || flag === 'frontend') return { kind: flag };
  const kind = flag === 'id' || flag === 'name' ? OWN[topic] : undefined;
  if (kind === undefined) return null;
  if (kind === 'server') return { kind, parent: values.get('backend') };
  if (kind === 'middleware') return { kind, parent: values.get('frontend'), type: topic };
  return { kind };
}

/** Values of flags, how many words are none of a flag, and the flag whose value comes next. */
function readLine(words: readonly string[], flags: Flags) {
  const values = new Map<string, string>();
  let open: string | undefined;
  let free = 0;
  for (const word of words) {
    const [, typed, value] = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(word) ?? [];
    const name = typed === undefined ? undefined : flagNamed(typed, flags);
    if (open !== undefined) {
      values.set(open, word);
      open = undefined;
    } else if (name !== undefined && value !== undefined) values.set(name, value);
    else if (name !== undefined) open = flags[name]?.type === 'option' ? name : undefined;
    else if (!word.startsWith('-')) free += 1;
  }
  return { values, words: free, open };
}

/** vctl's spelling counts too: `-readTimeout` is `--read-timeout`. */
function flagNamed(typed: string, flags: Flags): string | undefined {
  const plain = (word: string): string => word.replaceAll('-', '').toLowerCase();
  return Object.keys(flags).find(
    (name) => plain(name) === plain(typed) || (typed.length === 1 && flags[name]?.char === typed),
  );
}
