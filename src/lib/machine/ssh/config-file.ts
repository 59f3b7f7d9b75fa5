import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import SSHConfig, { glob } from 'ssh-config';
import { ClusterError } from '../../error.ts';
import { expandPath } from './tokens.ts';

/** One `Keyword value` line and where it stands. */
export interface ConfigLine {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** Lower case. */
  readonly keyword: string;
  readonly value: string;
}

/** OpenSSH client configuration with what it includes. */
export interface ConfigFiles {
  readonly parsed: SSHConfig;
  readonly lines: readonly ConfigLine[];
  /** Match rules and name canonicalisation that only `ssh -G` can judge. */
  readonly sshJudges: readonly ConfigLine[];
}

interface Loaded {
  readonly text: string[];
  readonly lines: ConfigLine[];
}

const MAX_DEPTH = 16;
const OWN_CRITERIA = new Set(['all', 'host', 'originalhost', 'user', 'localuser']);

/** Reads `path`, or the user's and the system's file when it is undefined, or nothing when it is null. */
export function readConfigFiles(path: string | null | undefined): ConfigFiles {
  const home = join(homedir(), '.ssh');
  const into: Loaded = { text: [], lines: [] };
  if (path === undefined) {
    load(into, join(home, 'config'), home);
    into.text.push('Host *');
    load(into, '/etc/ssh/ssh_config', '/etc/ssh');
  } else if (path !== null) load(into, expandPath(path, {}), home, true);
  try {
    return {
      parsed: SSHConfig.parse(into.text.join('\n')),
      lines: into.lines,
      sshJudges: into.lines.filter(needsSsh),
    };
  } catch (error) {
    throw new ClusterError('ssh-config-invalid', `the SSH configuration cannot be read: ${String(error)}`, {
      ...(path === undefined || path === null ? {} : { file: path }),
      cause: error,
    });
  }
}

/** The line that gave an option its value, as far as that can be told: the first with this keyword and value. */
export function lineOf(files: ConfigFiles, keyword: string, value: string): ConfigLine | undefined {
  const same = files.lines.filter((one) => one.keyword === keyword);
  return same.find((one) => one.value === value) ?? same[0];
}

function needsSsh({ keyword, value }: ConfigLine): boolean {
  if (keyword === 'canonicalizehostname') return !/^(no|false)$/i.test(value);
  if (keyword !== 'match') return false;
  const words = value.match(/"[^"]*"|[^\s"]+/g) ?? [];
  for (let at = 0; at < words.length; at++) {
    const [criterion = '', given] = words[at]!.toLowerCase().split(/=(.*)/s);
    if (!OWN_CRITERIA.has(criterion)) return true;
    if (criterion !== 'all' && given === undefined) at++;
  }
  return false;
}

/** Appends the text of a file, its Include lines replaced by what they name. */
function load(into: Loaded, path: string, base: string, required = false, depth = 0): void {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (!required) return;
    throw new ClusterError('ssh-config-invalid', `the SSH configuration ${path} cannot be read`, {
      file: path,
      cause: error,
    });
  }
  let section = 'Host *';
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [, word, rest] = /^\s*([A-Za-z][A-Za-z0-9]*)(?:[ \t]*=[ \t]*|[ \t]+)(.*?)\s*$/.exec(line) ?? [];
    const keyword = word?.toLowerCase();
    if (keyword !== undefined && rest !== undefined) {
      const value = /^"[^"]*"$/.test(rest) ? rest.slice(1, -1) : rest;
      into.lines.push({ file: path, line: index + 1, keyword, value });
    }
    if (keyword === 'host' || keyword === 'match') section = line;
    // The parser would run nslookup for this one.
    if (keyword === 'canonicalizehostname') continue;
    if (keyword !== 'include' || rest === undefined || depth >= MAX_DEPTH) {
      into.text.push(line);
      continue;
    }
    for (const pattern of rest.match(/"[^"]*"|\S+/g) ?? []) {
      for (const file of findFiles(pattern.replaceAll('"', ''), base)) {
        into.text.push(section);
        load(into, file, base, false, depth + 1);
      }
    }
    into.text.push(section);
  }
}

function findFiles(pattern: string, base: string): string[] {
  const expanded = expandPath(pattern, {});
  const path = isAbsolute(expanded) ? expanded : join(base, expanded);
  if (!/[*?]/.test(path)) return [path];
  try {
    const names = readdirSync(dirname(path)).filter(
      (name) => !name.startsWith('.') && glob(basename(path), name),
    );
    return names.sort().map((name) => join(dirname(path), name));
  } catch {
    return [];
  }
}
