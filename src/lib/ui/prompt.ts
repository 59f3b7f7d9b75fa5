import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

/** Asks on the terminal and does not show what is typed. The question goes to stderr, stdout stays clean. */
export async function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
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
  process.stderr.write(`The host key of ${address} is not known: ${type} ${fingerprint}\n`);
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

/** Asks a question that only `yes` says yes to. */
export async function askYes(question: string): Promise<boolean> {
  const reader = createInterface({ input: process.stdin, output: process.stderr, terminal: true });
  try {
    return /^y(es)?$/i.test((await reader.question(`${question} (yes/no)? `)).trim());
  } finally {
    reader.close();
  }
}
