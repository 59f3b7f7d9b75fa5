import type { HollowCall } from './call.ts';
import { type JournalLine, journalFields } from './journal.ts';
import { shortTime } from './systemctl.ts';
import { globMatches } from './words.ts';

interface Query {
  units: string[];
  /** Matches: alternatives of FIELD -> accepted values. */
  matches: Map<string, string[]>[];
  lines: number | null;
  output: string;
  follow: boolean;
  reverse: boolean;
  /** Null: it cannot be read. */
  sinceMicros: number | null;
  /** 0 = emerg to 7 = debug; this and what is more urgent. */
  priority: number;
  afterCursor: string | null;
  help: string | null;
}

const WITH_VALUE =
  /^(-u|--unit|-n|--lines|-o|--output|-S|--since|-U|--until|-t|--identifier|-p|--priority|--after-cursor|-c|--cursor|-b|--boot|--output-fields)$/;

/** `journalctl` over the machine's journal in memory: units, matches, -n, -o, -f, --since @EPOCH, --after-cursor. */
export async function runJournalctl(call: HollowCall): Promise<number | null> {
  const { machine } = call;
  const query = readQuery(call.argv.slice(1));
  if (query.help) {
    call.err(`hollow machine: not simulated: journalctl ${query.help}\n`);
    return 127;
  }
  if (query.sinceMicros === null) {
    call.err('Failed to parse timestamp\n');
    return 1;
  }
  const facts = machine.facts();
  const wanted = (line: JournalLine): boolean => accepts(query, line, journalFields(line, facts));
  const show = (line: JournalLine): void => call.out(render(query.output, line, facts));
  let found = machine.journal.lines.filter(wanted);
  if (query.lines !== null) found = query.lines === 0 ? [] : found.slice(-query.lines);
  if (query.reverse) found.reverse();
  if (found.length === 0 && !query.follow && /^(short|with-unit)/.test(query.output))
    call.out('-- No entries --\n');
  for (const line of found) show(line);
  if (!query.follow) return 0;
  const stop = machine.journal.follow((line) => wanted(line) && show(line));
  call.onClose(stop);
  return null;
}

function readQuery(argv: readonly string[]): Query {
  const query: Query = {
    units: [],
    matches: [new Map()],
    lines: null,
    output: 'short',
    follow: false,
    reverse: false,
    sinceMicros: 0,
    priority: 7,
    afterCursor: null,
    help: null,
  };
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    const [, flag = word, attached] =
      /^(--[\w-]+)=(.*)$/s.exec(word) ?? /^(-[unoSUtpbc])(.+)$/s.exec(word) ?? [];
    const bareBoot = flag === '-b' || flag === '--boot';
    const value = attached ?? (WITH_VALUE.test(flag) && !bareBoot ? (argv[++i] ?? '') : '');
    if (!word.startsWith('-')) addMatch(query, word);
    else if (flag === '-u' || flag === '--unit')
      query.units.push(value.includes('.') ? value : `${value}.service`);
    else if (flag === '-n' || flag === '--lines')
      query.lines = value === 'all' ? null : Number(value.replace('+', ''));
    else if (flag === '-o' || flag === '--output') query.output = value;
    else if (flag === '-S' || flag === '--since') query.sinceMicros = sinceMicros(value);
    else if (flag === '-p' || flag === '--priority') query.priority = priorityOf(value);
    else if (flag === '--after-cursor') query.afterCursor = value;
    else if (flag === '-f' || flag === '--follow') query.follow = true;
    else if (flag === '-r' || flag === '--reverse') query.reverse = true;
    else if (/^-[feqaxr]+$/.test(flag)) query.follow ||= flag.includes('f');
    else if (
      /^--(quiet|no-pager|no-hostname|all|full|no-tail|utc|boot|output-fields|system|no-full|pager-end)$/.test(
        flag,
      )
    )
      continue;
    else if (!/^-[bqa]$/.test(flag)) query.help = word;
  }
  if (query.follow && query.lines === null && !argv.includes('--no-tail') && query.afterCursor === null)
    query.lines = 10;
  return query;
}

function addMatch(query: Query, word: string): void {
  if (word === '+') {
    query.matches.push(new Map());
    return;
  }
  const at = word.indexOf('=');
  if (at <= 0) {
    query.help = word;
    return;
  }
  const last = query.matches.at(-1)!;
  const field = word.slice(0, at);
  last.set(field, [...(last.get(field) ?? []), word.slice(at + 1)]);
}

function accepts(query: Query, line: JournalLine, fields: Readonly<Record<string, string>>): boolean {
  if (line.micros < (query.sinceMicros ?? 0) || Number(fields.PRIORITY ?? 6) > query.priority) return false;
  if (
    query.afterCursor !== null &&
    line.seq <= Number.parseInt(/i=([0-9a-f]+)/.exec(query.afterCursor)?.[1] ?? '0', 16)
  )
    return false;
  if (query.units.length > 0 && !query.units.some((unit) => globMatches(unit, line.unit))) return false;
  return query.matches.some((all) =>
    [...all].every(([field, values]) => values.includes(fields[field] ?? '')),
  );
}

const PRIORITIES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];

function priorityOf(value: string): number {
  const named = PRIORITIES.indexOf(value);
  return named < 0 ? Number(value) : named;
}

/** `@EPOCH`, a date, or a time before now such as `-1h30m`; null for what is none of these. */
function sinceMicros(value: string): number | null {
  if (value.startsWith('@')) return Number(value.slice(1)) * 1_000_000;
  if (/^-(\d+(s|m|h|d))+$/.test(value)) {
    const seconds = { s: 1, m: 60, h: 3600, d: 86_400 } as Readonly<Record<string, number>>;
    const ago = [...value.matchAll(/(\d+)([smhd])/g)].map(
      ([, n, unit = 's']) => Number(n) * (seconds[unit] ?? 1),
    );
    return (Date.now() - ago.reduce((sum, part) => sum + part, 0) * 1000) * 1000;
  }
  const at = Date.parse(value.replace(' UTC', 'Z').replace(' ', 'T'));
  return Number.isNaN(at) ? null : at * 1000;
}

function render(
  output: string,
  line: JournalLine,
  facts: { id: string; hostname: string; bootId: string },
): string {
  if (output === 'cat') return `${line.message}\n`;
  if (output === 'json') return `${JSON.stringify(journalFields(line, facts))}\n`;
  const when =
    output === 'short-unix'
      ? (line.micros / 1e6).toFixed(6)
      : output.startsWith('short-iso')
        ? new Date(line.micros / 1000).toISOString().replace('Z', '+0000')
        : shortTime(line.micros);
  return `${when} ${facts.hostname} ${line.identifier}[${line.pid}]: ${line.message}\n`;
}
