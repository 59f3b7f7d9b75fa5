import { splitWords } from './words.ts';

/** What a simulated process does: it runs on, or it exits with this code after this many milliseconds. */
export interface Behaviour {
  readonly runs: boolean;
  readonly code: number;
  readonly afterMs: number;
  /** Lines it writes to the journal at its start. */
  readonly lines: readonly string[];
  /** A leading `-`: a failure does not count. */
  readonly forgiven: boolean;
  /** A line that it writes again and again while it runs. */
  readonly tick?: { readonly line: string; readonly everyMs: number };
}

/** What the simulated systemd reads out of a unit file. */
export interface UnitDefinition {
  readonly description: string;
  readonly type: string;
  readonly remainAfterExit: boolean;
  readonly restart: string;
  readonly successCodes: readonly number[];
  readonly pre: readonly Behaviour[];
  readonly main: readonly Behaviour[];
  readonly requires: readonly string[];
  readonly bindsTo: readonly string[];
  readonly partOf: readonly string[];
  readonly wants: readonly string[];
  /** Started with it, and again whenever they end while it runs. */
  readonly upholds: readonly string[];
  readonly conflicts: readonly string[];
  readonly wantedBy: readonly string[];
  readonly requiredBy: readonly string[];
  /** Paths of ConditionPathExists=, the only condition that the simulation knows; with `!` they must not be there. */
  readonly conditions: readonly string[];
  readonly alias: readonly string[];
  readonly hasInstall: boolean;
  /** Why systemd would refuse to load it; null when it would not. */
  readonly bad: string | null;
}

/** Reads the settings that the simulation acts on and ignores all others. */
export function readDefinition(name: string, text: string): UnitDefinition {
  const settings = readSettings(text);
  const list = (key: string): string[] => (settings.get(key) ?? []).map((value) => specify(value, name));
  const names = (key: string): string[] => list(key).flatMap((value) => splitWords(value) ?? []);
  const last = (key: string): string | undefined => list(key).at(-1);
  const yes = (key: string): boolean => /^(1|yes|true|on|y|t)$/i.test(last(key) ?? '');
  const main = list('Service.ExecStart').map(behaviour);
  const type = last('Service.Type') ?? (main.length === 0 ? 'oneshot' : 'simple');
  const service = name.endsWith('.service');
  return {
    description: last('Unit.Description') ?? name,
    type,
    remainAfterExit: yes('Service.RemainAfterExit'),
    restart: last('Service.Restart') ?? 'no',
    successCodes: names('Service.SuccessExitStatus').map(Number).filter(Number.isInteger),
    pre: list('Service.ExecStartPre').map(behaviour),
    main,
    requires: [...names('Unit.Requires'), ...names('Unit.Requisite')],
    bindsTo: names('Unit.BindsTo'),
    partOf: names('Unit.PartOf'),
    wants: names('Unit.Wants'),
    upholds: names('Unit.Upholds'),
    conflicts: names('Unit.Conflicts'),
    wantedBy: names('Install.WantedBy'),
    requiredBy: names('Install.RequiredBy'),
    conditions: list('Unit.ConditionPathExists'),
    alias: names('Install.Alias'),
    hasInstall: [...settings.keys()].some((key) => key.startsWith('Install.')),
    bad:
      service && main.length === 0 && !names('Service.ExecStop').length ? 'Service has no ExecStart=' : null,
  };
}

/** `Section.Key` to its values, continuation lines joined, an empty value resetting the list. */
function readSettings(text: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  let section = '';
  for (const raw of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const header = /^\[([^\]]+)\]$/.exec(line);
    if (header) {
      section = header[1]!;
      continue;
    }
    const at = line.indexOf('=');
    if (at <= 0) continue;
    const key = `${section}.${line.slice(0, at).trim()}`;
    const value = line.slice(at + 1).trim();
    if (value === '') settings.set(key, []);
    else settings.set(key, [...(settings.get(key) ?? []), value]);
  }
  return settings;
}

function specify(value: string, name: string): string {
  const [, prefix = '', instance = ''] = /^([^@]*)@?(.*)\.[^.]+$/.exec(name) ?? [];
  const known: Record<string, string> = {
    n: name,
    N: name.replace(/\.[^.]+$/, ''),
    p: prefix,
    i: instance,
    I: instance,
    '%': '%',
  };
  return value.replace(/%(.)/g, (whole, letter: string) => known[letter] ?? whole);
}

function behaviour(command: string): Behaviour {
  const [, flags = '', rest = ''] = /^([-@:+!|]*)(.*)$/s.exec(command) ?? [];
  const outcome = run(splitWords(rest) ?? []);
  return { ...outcome, forgiven: flags.includes('-') };
}

type Outcome = Omit<Behaviour, 'forgiven'>;
const RUNS: Outcome = { runs: true, code: 0, afterMs: 0, lines: [] };
const exits = (code: number, lines: readonly string[] = [], afterMs = 0): Outcome => ({
  runs: false,
  code,
  afterMs,
  lines,
});

/** The few programs whose exit is known; any other is assumed to run on. */
function run(argv: readonly string[]): Outcome {
  const program = argv[0] ?? '';
  if (/^\/(nonexistent|no)(\/|$)/.test(program)) return exits(203);
  switch (program.split('/').at(-1)) {
    case 'true':
    case 'test':
    case 'mkdir':
    case 'rm':
    case ':':
      return exits(0);
    case 'false':
      return exits(1);
    case 'exit':
      return exits(Number(argv[1] ?? 0) & 255);
    case 'echo':
      return exits(0, [argv.slice(1).join(' ')]);
    case 'sleep':
      return sleeps(argv[1] ?? '');
    case 'env':
    case 'exec':
      return run(argv.slice(1));
    case 'sh':
    case 'bash':
      return script(argv.at(-1) ?? '');
    case 'docker':
      return ['run', 'start', 'attach', 'wait', 'logs'].includes(argv[1] ?? '') && !argv.includes('-d')
        ? RUNS
        : exits(0);
    default:
      return RUNS;
  }
}

function sleeps(how: string): Outcome {
  const seconds = Number(how.replace(/s$/, ''));
  return how === 'infinity' || !Number.isFinite(seconds) ? RUNS : exits(0, [], seconds * 1000);
}

/** A shell script of simple commands joined by `;`, `&&` or newlines; loops and pipes are assumed to run on. */
function script(text: string): Outcome {
  const loop = /^\s*while (?:true|:)\s*;\s*do\s+echo\s+(.+?)\s*;\s*sleep\s+([\d.]+)\s*;\s*done\s*$/s.exec(
    text,
  );
  if (loop) {
    const line = (splitWords(loop[1]!) ?? []).join(' ');
    return { ...RUNS, lines: [line], tick: { line, everyMs: Math.max(100, Number(loop[2]) * 1000) } };
  }
  if (/\b(while|until|for|trap|wait)\b|\|/.test(text)) return RUNS;
  const lines: string[] = [];
  let afterMs = 0;
  let code = 0;
  for (const part of text.split(/;|\n|(&&)/)) {
    if (part === undefined || part === '&&' || part.trim() === '') continue;
    const words = splitWords(part.replace(/\d?>&\d|\d?>\s*\/dev\/\S+/g, '')) ?? [];
    const outcome = run(words);
    lines.push(...outcome.lines);
    if (outcome.runs) return { runs: true, code: 0, afterMs, lines };
    afterMs += outcome.afterMs;
    code = outcome.code;
    if (words[0] === 'exit' || words[0] === 'exec') break;
  }
  return exits(code, lines, afterMs);
}
