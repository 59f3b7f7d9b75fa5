import type { Report } from '../../keep/reporter.ts';
import type { Webhook } from '../../traffic/index.ts';

const WEBHOOK_MS = 5000;

/** Calls a breaker's webhook and logs how that went; never waits for it. */
export function callWebhook(hook: Webhook, logger: Report): void {
  const { URL: url, Method, Headers, Form, Body } = hook.Action;
  const form = pairs(Form);
  const method = Method === '' ? 'GET' : Method.toUpperCase();
  const body = form.length > 0 ? new URLSearchParams(form) : Body;
  const isBodyless = method === 'GET' || method === 'HEAD' || body === '';
  fetch(url, {
    method,
    headers: pairs(Headers),
    ...(isBodyless ? {} : { body }),
    signal: AbortSignal.timeout(WEBHOOK_MS),
  })
    .then(async (answer) => {
      await answer.arrayBuffer();
      logger.debug(`webhook ${url}: ${answer.status}`);
    })
    .catch((error: unknown) =>
      logger.warning(`webhook ${url}: ${error instanceof Error ? error.message : String(error)}`),
    );
}

function pairs(values: { readonly [name: string]: readonly string[] }): [string, string][] {
  return Object.entries(values).flatMap(([name, list]) =>
    list.map((value): [string, string] => [name, value]),
  );
}
