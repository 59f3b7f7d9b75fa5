import type { Fallback } from '../../../traffic/index.ts';
import { literal, quote } from './quote.ts';
import { when } from './text.ts';

/** What a tripped breaker answers: the rule, and the file with the answer's body where there is one. */
export interface FallbackRule {
  readonly rule: string;
  readonly file: string | null;
  readonly notes: readonly string[];
}

/** An answer must fit into HAProxy's buffer with its header. */
const MOST_BYTES = 14_000;

/** Statuses whose answers have no body in HTTP; HAProxy refuses a rule that gives them one. */
const BODILESS = new Set([204, 304]);

/** `file` is the name that the body's file would have. */
export function fallbackRule(fallback: Fallback, file: string, mine: string, tripped: string): FallbackRule {
  if (fallback.Type === 'redirect') {
    const { URL: to, PreservePath } = fallback.Action;
    const location = quote(`${literal(to)}${PreservePath ? '%[path]' : ''}`);
    return {
      rule: `http-request redirect code 302 location ${location}${when(mine, tripped)}`,
      file: null,
      notes: [],
    };
  }
  const { StatusCode, ContentType, Body } = fallback.Action;
  const type = quote(ContentType === '' ? 'text/plain; charset=utf-8' : ContentType);
  const fits = Buffer.byteLength(Body) <= MOST_BYTES;
  const filled = fits && Body !== '' && !BODILESS.has(StatusCode);
  return {
    rule: `http-request return status ${StatusCode}${filled ? ` content-type ${type} file ${file}` : ''}${when(mine, tripped)}`,
    file: filled ? Body : null,
    notes: fits ? [] : [`its fallback's body is longer than ${MOST_BYTES} bytes and is left out`],
  };
}
