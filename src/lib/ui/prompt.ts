import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { printable } from '../printable.ts';

/** Asks on the terminal and does not show what is typed. The question goes to stderr, stdout stays clean. */
export async function askHidden(question: string): Promise<string> {
  process.stderr.write(printable(question));
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await reader.question('');
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}

/** Shows an unknown host key and asks whether to trust it: yes, no, or the fingerprint itself, as ssh does. */
export async function askHostKey(key: {
  readonly address: string;
  readonly type: string;
  readonly fingerprint: string;
}): Promise<boolean> {
  const { address, type, fingerprint } = key;
  const reader = createInterface({ input: process.stdin, output: process.stderr, terminal: true });
  process.stderr.write(`${printable(`The host key of ${address} is not known: ${type} ${fingerprint}`)}\n`);
  try {
    for (let question = 'Trust it and remember it (yes/no/[fingerprint])? '; ; ) {
      const answer = (await reader.question(question)).trim();
      if (answer.toLowerCase() === 'yes' || answer === fingerprint) return true;
      if (answer.toLowerCase() === 'no') return false;
      question = "Please type 'yes', 'no' or the fingerprint: ";
    }
  } finally {
    reader.close();
  }
}

/** Asks on the terminal until the answer is yes or no; only a whole `yes` is one. The end of input means no. */
export async function askYes(question: string): Promise<boolean> {
  const reader = createInterface({ input: process.stdin, output: process.stderr, terminal: true });
  const ended = new Promise<string>((resolve) => reader.once('close', () => resolve('no')));
  try {
    for (let text = question; ; text = "Please type 'yes' or 'no': ") {
      const answer = (await Promise.race([reader.question(text), ended])).trim().toLowerCase();
      if (answer === 'yes') return true;
      if (answer === 'no') return false;
    }
  } finally {
    reader.close();
  }
}
