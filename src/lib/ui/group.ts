/** What is said of one thing, on one or more lines. */
export interface Remark {
  readonly lines: readonly string[];
  /** The unit or file that it is about; remarks that differ in nothing else are printed as one. */
  readonly about?: string | undefined;
  /** Further words that may differ between remarks of a group, such as the machine. */
  readonly besides?: readonly string[];
}

/** How many names of a group are spelled out. */
const SPELLED = 5;

/** Remarks that say the same of several units become one, in the place of the first, with their number. */
export function grouped(remarks: readonly Remark[]): string[][] {
  const groups = new Map<string, [Remark, ...Remark[]]>();
  for (const remark of remarks) {
    const key = likeness(remark);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [remark]);
    else group.push(remark);
  }
  return [...groups.values()].map(asOne);
}

function asOne([first, ...others]: [Remark, ...Remark[]]): string[] {
  const [head = '', ...rest] = first.lines;
  if (others.length === 0) return [...first.lines];
  const names = [...new Set([first, ...others].map(({ about }) => about))];
  const number = names.length === 1 ? `${others.length + 1} times` : spelled(names.map(String));
  return [head.endsWith(':') ? `${head.slice(0, -1)} (${number}):` : `${head} (${number})`, ...rest];
}

function spelled(names: readonly string[]): string {
  const more = names.length > SPELLED ? ', ...' : '';
  return `${names.length} units: ${names.slice(0, SPELLED).join(', ')}${more}`;
}

/** The text without what may differ; of journal lines also without numbers, such as those of processes. */
function likeness({ lines, about, besides = [] }: Remark): string {
  const names = about === undefined ? [] : [about, about.replace(/\.\w+$/, '')];
  const words = [...names, ...besides].filter((word) => word !== '');
  const text = lines.map((line) => (line.startsWith('  | ') ? line.replace(/\d+/g, '#') : line)).join('\n');
  return words.reduce((rest, word) => rest.replace(wholeWord(word), '\0'), text);
}

/** `demo@1.service` of `demo@1.service: what is odd`. */
export function subjectOf(message: string): string | undefined {
  return /^([\w:.@\\-]+\.[a-z]+): /.exec(message)?.[1];
}

function wholeWord(word: string): RegExp {
  const escaped = word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`(?<![\\w@-])${escaped}(?![\\w@-])`, 'g');
}
