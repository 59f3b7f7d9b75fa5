import { ClusterError, ClusterErrors } from '../error.ts';
import { printable, printableJson, printableLines } from '../printable.ts';
import { redOnStderr } from './colour.ts';
import { grouped, type Remark } from './group.ts';

export interface ReportOptions {
  readonly json: boolean;
  readonly debug: boolean;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/**
 * What a person reads when a command fails: one line of what is wrong, one line of what to try, a stack only with
 * --debug. With --json the same as `{"error": {...}}` on stdout.
 * @returns the exit code.
 */
export function report(error: unknown, options: ReportOptions): number {
  const list = error instanceof ClusterErrors ? error.errors : [known(error)];
  const first = list[0] ?? known(error);
  if (options.json) {
    const all = list.map(asJson);
    const body = all.length > 1 ? { error: all[0], errors: all } : { error: all[0] };
    options.stdout.write(`${printableJson(JSON.stringify(body, null, 2))}\n`);
  } else if (!(error instanceof ClusterErrors && error.announced)) {
    for (const lines of grouped(list.map(remarkOf))) options.stderr.write(`${lines.join('\n')}\n`);
  }
  if (options.debug) options.stderr.write(`${printableLines(stack(error))}\n`);
  return first.exit;
}

function remarkOf(error: ClusterError): Remark {
  const { unit, file } = error.place;
  const hint = error.hint === undefined ? [] : [`  try: ${oneLine(error.hint)}`];
  const besides = unit === undefined || file === undefined ? [] : [file];
  return { lines: [line(error), ...hint], about: unit ?? file, besides };
}

function line(error: ClusterError): string {
  const { file, line: at, machine } = error.place;
  const place = `${file}${at === undefined ? '' : `:${at}`}`;
  const where = file === undefined || error.message.includes(place) ? '' : `${place}: `;
  const on = machine === undefined || error.message.includes(machine) ? '' : `${machine}: `;
  return `${redOnStderr('Error:')} ${oneLine(`${on}${where}${error.message}`)}`;
}

/** Line breaks are those of another program's words, so they become blanks. */
function oneLine(text: string): string {
  return printable(text.replace(/\s*[\r\n]+\s*/g, ' ').trim());
}

function asJson(error: ClusterError): Record<string, unknown> {
  return {
    code: error.code,
    message: error.message,
    ...(error.hint && { hint: error.hint }),
    ...error.place,
  };
}

function known(error: unknown): ClusterError {
  if (error instanceof ClusterError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new ClusterError('internal', text === '' ? 'unknown failure' : text, {
    hint: 'this is a fault of cluster itself; run again with --debug and report what it prints',
    cause: error,
  });
}

function stack(error: unknown): string {
  if (error instanceof ClusterErrors) return error.errors.map(stack).join('\n');
  const parts: string[] = [];
  for (let item = error; item instanceof Error; item = item.cause) parts.push(item.stack ?? item.message);
  return parts.join('\ncaused by: ');
}
