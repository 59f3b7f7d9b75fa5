/** Writes docs/errors.md from the exit codes in src/lib/error.ts and the error codes that the sources use. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const src = path.join(root, 'src');

function sources() {
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .sort()
    .map((file) => ({ file: `src/${file}`, text: readFileSync(path.join(src, file), 'utf8') }));
}

/** Each entry of EXIT with the comment above it. */
function exitCodes() {
  const text = readFileSync(path.join(src, 'lib', 'error.ts'), 'utf8');
  const body = /export const EXIT = \{([\s\S]*?)\} as const/.exec(text)?.[1] ?? '';
  const codes = [];
  for (const [, comment, name, code] of body.matchAll(/(?:\/\*\* (.*?) \*\/\s*)?(\w+): (\d+),/g)) {
    codes.push({ name, code, meaning: comment ?? { ok: 'Done.', interrupted: 'Ctrl-C.' }[name ?? ''] ?? '' });
  }
  return codes;
}

/** @returns {Promise<{ file: string, text: string }[]>} */
export async function generatedDocs() {
  const codes = new Map();
  for (const { file, text } of sources()) {
    for (const [, code] of text.matchAll(/new ClusterError\(\s*'([a-z0-9-]+)'/g)) {
      codes.set(code, (codes.get(code) ?? new Set()).add(file));
    }
  }
  const exits = exitCodes().map(({ name, code, meaning }) => `| ${code} | ${name} | ${meaning} |`);
  const errors = [...codes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, files]) => `| \`${code}\` | ${[...files].join(', ')} |`);
  const text = [
    '# Exit codes and errors',
    '',
    'Written by `npm run docs` from the sources. Do not edit.',
    '',
    'Every error is one line that says what is wrong and one that says what to try; with `--json` it is',
    '`{"error": {"code", "message", ...}}` on stdout.',
    '',
    '| exit | name | when |',
    '| --- | --- | --- |',
    ...exits,
    '',
    '| code | comes from |',
    '| --- | --- |',
    ...errors,
    '',
  ].join('\n');
  return [{ file: path.join(root, 'docs', 'errors.md'), text }];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { file, text } of await generatedDocs()) {
    mkdirSync(path.dirname(file), { recursive: true });
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
    process.stdout.write(`${path.relative(root, file)}\n`);
  }
}
