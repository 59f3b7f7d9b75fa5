import { spawn, spawnSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { ENTRY, type Workplace, workplace } from '../support/cli.ts';
import { withLab } from '../support/lab.ts';
import { listening } from '../support/port.ts';

const ESCAPED = 'odd-two\\x2dx@in-st\\x2da.service';
let at: Workplace;
let env: NodeJS.ProcessEnv;
let machine = '';

const has = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;

/** A test of a shell that may not be there, which the title then says. */
function shell(name: string, title: string, check: () => Promise<void>, ...needs: string[]): void {
  const missing = [name, ...needs].find((program) => !has(program));
  if (missing === undefined) test(`${name} ${title}`, check);
  else test.skip(`${name} ${title} (skipped: ${missing} is not installed)`, () => {});
}

withLab('shells', ['--hollow', '2'], async (made) => {
  at = made;
  for (const file of ['demo@.service', 'small.service', 'odd-two\\x2dx@.service'])
    await at.file(file, '[Service]\nExecStart=/bin/sleep infinity\n');
  await at.ok('submit', 'demo@7.service', 'demo@8.service', 'small.service', ESCAPED);
  for (const line of [
    'backend upsert -id small-v0.1.0',
    'backend upsert -id other',
    'server upsert -b small-v0.1.0 -id web@1 -url http://127.0.0.1:1',
    'server upsert -b other -id api@1 -url http://127.0.0.1:1',
    'frontend upsert -id small.test -b small-v0.1.0 -route Path("/")',
    'connlimit upsert -f small.test -id few',
    'ratelimit upsert -f small.test -id slow',
    'host upsert -name a.test',
    'listener upsert -id public -addr :80',
  ])
    await at.ok(...line.split(' '));
  machine = (await at.run('list-machines', '--no-legend')).stdout.slice(0, 8);
  const bin = join(at.dir, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'cluster'), `#!/bin/sh\nexec "${process.execPath}" "${ENTRY}" "$@"\n`);
  await chmod(join(bin, 'cluster'), 0o755);
  env = { ...at.env, PATH: `${bin}:${process.env.PATH}`, TERM: 'dumb' };
});

/** Types each line into a shell on a terminal, then Tab; the words that the shell then reads the line as. */
async function typed(
  command: string,
  setup: string,
  lines: readonly string[],
): Promise<Record<string, string[]>> {
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: at.dir, env });
  const ended = new Promise((resolve) => child.once('close', resolve));
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const answer = async (pattern: RegExp): Promise<string> => {
    await vi.waitFor(() => expect(said).toMatch(pattern), { timeout: 20_000, interval: 20 });
    return pattern.exec(said)?.[1] ?? '';
  };
  try {
    child.stdin.write(`PS1='> '; ${setup}; echo rea""dy\n`);
    await answer(/^(ready)/m);
    const words: Record<string, string[]> = {};
    for (const line of lines) {
      said = '';
      // Ctrl-A and a command in front: the completed line is not run but shown, word by word.
      child.stdin.write(`${line}\t\u0001printf 'got %s|%s|%s|%s|%s|%s|%s|%s|\\n' ''`);
      child.stdin.write(' \n');
      words[line] = (await answer(/^got \|(.*)\|\r?$/m)).split('|').filter((word) => word !== '');
    }
    return words;
  } finally {
    child.stdin.end('exit\n');
    child.kill();
    await ended;
  }
}

/** What is typed, and the last word of the line that it must become. */
const expected = (): [line: string, last: string][] => [
  ['cluster rec', 'reconcile'],
  ['cluster status sm', 'small.service'],
  ['cluster stop small.service demo@7', 'demo@7.service'],
  ['cluster stop odd', ESCAPED],
  [`cluster ssh ${machine.slice(0, 6)}`, machine],
  ['cluster frontend upsert -b sm', 'small-v0.1.0'],
  ['cluster server rm -b small-v0.1.0 we', 'web@1'],
  [`cluster ssh -A ${machine.slice(0, 6)}`, machine],
];

async function completes(command: string, setup: string): Promise<void> {
  const words = await typed(
    command,
    setup,
    expected().map(([line]) => line),
  );
  for (const [line, last] of expected()) expect(words[line]?.at(-1), line).toBe(last);
  expect(words['cluster stop small.service demo@7']).toHaveLength(4);
}

describe.concurrent('Tab completes commands, units and machines', () => {
  shell(
    'bash',
    'on a terminal',
    () => completes('bash --norc --noprofile -i', 'source <(cluster completion bash)'),
    'script',
  );

  shell(
    'zsh',
    'on a terminal',
    () => completes('zsh -f -i', 'autoload -U compinit; compinit -u -D; source <(cluster completion zsh)'),
    'script',
  );

  shell('fish', 'as its own `complete -C` tells', async () => {
    const asked = [...expected().map(([line]) => line), 'cluster stop demo@', 'cluster ssh '];
    const script = `cluster completion fish | source; for line in $argv; echo "? $line"; complete -C "$line"; end`;
    const ran = spawnSync('fish', ['--no-config', '-c', script, '--', ...asked], { cwd: at.dir, env });
    expect(ran.stderr.toString()).toBe('');
    const answers = new Map(
      ran.stdout
        .toString()
        .split('? ')
        .map((part) => part.trimEnd().split('\n'))
        .map(([line = '', ...words]) => [line.trimEnd(), words]),
    );
    for (const [line, last] of expected()) expect(answers.get(line), line).toContain(last);
    expect(answers.get('cluster stop demo@')).toEqual(
      expect.arrayContaining(['demo@7.service', 'demo@8.service']),
    );
    expect(answers.get('cluster ssh')).toEqual(expect.arrayContaining([machine, 'small.service']));
  });
});

test.each([
  ['backend show ', 'other small-v0.1.0'],
  ['backend upsert -id ', 'other small-v0.1.0'],
  ['frontend upsert --backend=s', '--backend=small-v0.1.0'],
  ['frontend rollback ', 'small.test'],
  ['frontend show small.test ', ''],
  ['frontend show --js', '--json'],
  ['frontend upsert --route ', ''],
  ['server ls -b o', 'other'],
  ['server show ', 'api@1 web@1'],
  ['server show -backend=other --id ', 'api@1'],
  ['server rm web@1 -b ', 'other small-v0.1.0'],
  ['connlimit upsert -f ', 'small.test'],
  ['connlimit rm --frontend small.test ', 'few'],
  ['ratelimit rm -f small.test -id ', 'slow'],
  ['ratelimit rm -f other.test -id ', ''],
  ['host rm ', 'a.test'],
  ['listener show p', 'public'],
  ['top -b ', 'other small-v0.1.0'],
  ['log set_severity ', ''],
])('ids of traffic: %s', async (line, names) => {
  const { stdout, stderr } = await at.run('complete', '--', ...line.split(' '));
  expect([stdout.trim().split('\n').join(' '), stderr]).toEqual([names, '']);
});

test('a Tab does not wait for a registry that accepts and never answers', async () => {
  const mute = createServer();
  const port = await listening(mute);
  const endpoint = { CLUSTER_ENDPOINT: `http://127.0.0.1:${port}`, CLUSTER_REQUEST_TIMEOUT: '60s' };
  const waiting = await workplace(endpoint);
  const started = performance.now();
  for (const line of ['stop', 'backend show'])
    expect(await waiting.run('complete', '--', ...line.split(' '), '')).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
  expect(performance.now() - started).toBeLessThan(20_000);
  mute.close();
  await waiting.remove();
});

test('a Tab with a registry out of reach is silent', async () => {
  const ran = await at.run('complete', '--', 'stop', '');
  expect(ran.stdout).toContain('small.service\n');
  const away = await workplace({ CLUSTER_ENDPOINT: 'http://127.0.0.1:1' });
  expect(await away.run('complete', '--', 'stop', '')).toEqual({ code: 0, stdout: '', stderr: '' });
  await away.remove();
});
