import type { ServedRequest } from '../../model.ts';

/**
 * Reads what HAProxy logs of one request: a line of JSON in the log-format
 * that `translate` writes: {"fe":…,"be":…,"srv":…,"m":…,"st":…,"ts":…,"tr":…,"path":…,"rq":{…},"rs":{…}}.
 * @returns null for anything else: a line can be cut off.
 */
export function readRequestLog(text: string): ServedRequest | null {
  const start = text.indexOf('{');
  if (start === -1) return null;
  let line: unknown;
  try {
    line = JSON.parse(text.slice(start));
  } catch {
    return null;
  }
  if (typeof line !== 'object' || line === null) return null;

  const fields = new Map(Object.entries(line));
  const word = (name: string): string => String(fields.get(name) ?? '');
  const number = (name: string): number => {
    const value = Number(fields.get(name) ?? -1);
    return Number.isFinite(value) ? value : -1;
  };
  const frontend = word('fe');
  if (frontend === '') return null;
  const status = number('st');
  // HAProxy's termination state: its first letter says which side ended the request.
  const ended = word('ts');
  return {
    frontend,
    method: word('m'),
    path: word('path'),
    status,
    latencyMs: number('tr'),
    isNetworkError: status === 502 || status === 504 || /^s/i.test(ended),
    isOwnAnswer: /^[LP]/.test(ended),
    requestHeaders: headers(fields.get('rq')),
    responseHeaders: headers(fields.get('rs')),
  };
}

function headers(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, String(item)]));
}
