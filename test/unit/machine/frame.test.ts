import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FramedOutput, frame, MARK, unframe } from '../../../src/lib/machine/ssh/frame.ts';
import { quote } from '../../../src/lib/shell-words.ts';

describe('frame', () => {
  test('has no character that login shells read differently', () => {
    const line = frame(['sh', '-c', "echo 'a!b' \\\\ \n done", 'ä']);
    expect(line).not.toMatch(/[\n!]|\\\\/);
    expect(line).toMatch(/^exec sh -c '[^']*' \S+ '[^']*'$/);
  });

  test('comes back as the command line that it was', () => {
    const word = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', ''));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (argv) => {
        const line = quote(argv);
        expect(unframe(frame(argv))).toBe(Buffer.from(line, 'utf8').toString('utf8'));
      }),
    );
    expect(unframe('uptime')).toBeNull();
  });

  test('runs in a shell as it stands there', () => {
    const argv = ['printf', '%s|', "it's", '$HOME', 'a\nb', '\\', '!!', ''];
    const { stdout, stderr } = spawnSync('sh', ['-c', frame(argv)], { encoding: 'utf8' });
    const plain = execFileSync('printf', argv.slice(1), { encoding: 'utf8' });
    expect(stdout).toBe(`${MARK}\n${plain}`);
    expect(stderr).toBe(`${MARK}\n`);
  });
});

describe('FramedOutput', () => {
  test('skips what stands before the mark, wherever the chunks are cut', () => {
    const whole = Buffer.from(`hello${MARK.slice(0, 7)}\n${MARK}\nout\n${MARK}\n`);
    for (let at = 0; at <= whole.length; at++) {
      let passed = '';
      const output = new FramedOutput((chunk) => {
        passed += chunk.toString();
      });
      output.push(whole.subarray(0, at));
      output.push(whole.subarray(at));
      expect(passed).toBe(`out\n${MARK}\n`);
      expect(output.noise).toBe(`hello${MARK.slice(0, 7)}\n`);
    }
  });

  test('says that the mark never came', () => {
    const output = new FramedOutput(() => expect.unreachable());
    output.push(Buffer.from('not available\n'));
    expect(output).toMatchObject({ begun: false, noise: 'not available\n' });
  });
});
