import type { Report } from '../../keep/reporter.ts';
import type { Webhook } from '../../traffic/index.ts';

const WEBHOOK_MS = 5000;
/** How much of an answer is read; nobody looks at it. */
const MOST_BYTES = 64 * 1024;
/** How many calls may be under way: a breaker that flaps in front of a slow webhook must not pile them up. */
const MOST_CALLS = 32;

let calls = 0;

/**
 * Calls a breaker's webhook and logs how that went; never waits for it. A redirect is logged and not followed: it could
 * lead to anything that only this machine can reach.
 */
export function callWebhook(hook: Webhook, logger: Report): void {
  const { URL: url } = hook.Action;
  const failed = (error: unknown): void =>
    logger.warning(`webhook ${url}: ${error instanceof Error ? error.message : String(error)}`);
  if (calls >= MOST_CALLS) {
    failed(`not called, ${MOST_CALLS} calls are under way`);
    return;
  }
  calls++;
  call(hook)
    .then((status) => {
      if (status >= 300 && status < 400) failed(`answered ${status}; redirects are not followed`);
      else logger.debug(`webhook ${url}: ${status}`);
    }, failed)
    .finally(() => calls--);
}

/** @returns the status of the answer. */
async function call({ Action: { URL: url, Method, Headers, Form, Body } }: Webhook): Promise<number> {
  const form = pairs(Form);
  const method = Method === '' ? 'GET' : Method.toUpperCase();
  const body = form.length > 0 ? new URLSearchParams(form) : Body;
  const isBodyless = method === 'GET' || method === 'HEAD' || body === '';
  if (!/^https?:$/.test(new URL(url).protocol)) throw new Error('only http and https are called');
  const answer = await fetch(url, {
    method,
    headers: pairs(Headers),
    ...(isBodyless ? {} : { body }),
    redirect: 'manual',
    signal: AbortSignal.timeout(WEBHOOK_MS),
  });
  let bytes = 0;
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) break;
  }
  return answer.status;
}

function pairs(values: { readonly [name: string]: readonly string[] }): [string, string][] {
  return Object.entries(values).flatMap(([name, list]) =>
    list.map((value): [string, string] => [name, value]),
  );
}
