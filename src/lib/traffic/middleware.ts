import { RE2JS } from 're2js';
import { parseCondition } from '../route/index.ts';
import { Fields } from './fields.ts';
import type { CircuitBreaker, Fallback, JsonObject, Middleware, Webhook } from './model.ts';
import { readSyslogAddress } from './syslog.ts';

const NANOS = { second: 1e9, millisecond: 1e6 };

/** As the readers of read.ts: the id is the key's; throws an Error that names the field. */
export function readMiddleware(id: string, value: JsonObject): Middleware {
  const fields = new Fields(value);
  const body = fields.inner('Middleware');
  const common = { Id: id, Priority: fields.integer('Priority') };
  const type = fields.oneOf('Type', ['ratelimit', 'connlimit', 'rewrite', 'trace', 'cbreaker']);
  switch (type) {
    case 'ratelimit': {
      const Middleware = {
        PeriodSeconds: positive(body, 'PeriodSeconds', 'period seconds'),
        Requests: positive(body, 'Requests', 'requests'),
        Burst: positive(body, 'Burst', 'burst'),
        Variable: variable(body.string('Variable')),
        RateVar: body.string('RateVar'),
      };
      const { RateVar } = Middleware;
      if (RateVar !== '' && !(isVariable(RateVar) && RateVar.startsWith('request.header.')))
        throw new Error(`unsupported variable format: ${JSON.stringify(RateVar.slice(0, 200))}`);
      return { ...common, Type: type, Middleware };
    }
    case 'connlimit': {
      const Middleware = {
        Connections: body.integer('Connections'),
        Variable: variable(body.string('Variable')),
      };
      if (Middleware.Connections < 0)
        throw new Error(`connections should be >= 0, got ${Middleware.Connections}`);
      return { ...common, Type: type, Middleware };
    }
    case 'rewrite': {
      const Middleware = {
        Regexp: body.string('Regexp'),
        Replacement: body.string('Replacement'),
        RewriteBody: body.boolean('RewriteBody'),
        Redirect: body.boolean('Redirect'),
      };
      compile(Middleware.Regexp);
      if (/[\r\n]/.test(Middleware.Regexp)) throw new Error('Regexp has a line break, as no URL has');
      if (/[\r\n]/.test(Middleware.Replacement)) throw new Error('Replacement has a line break');
      return { ...common, Type: type, Middleware };
    }
    case 'trace': {
      const Middleware = {
        ReqHeaders: headers(body, 'ReqHeaders'),
        RespHeaders: headers(body, 'RespHeaders'),
        Addr: body.string('Addr'),
      };
      readSyslogAddress(Middleware.Addr);
      return { ...common, Type: type, Middleware };
    }
    case 'cbreaker':
      return { ...common, Type: type, Middleware: readBreaker(body) };
  }
}

function readBreaker(body: Fields): CircuitBreaker['Middleware'] {
  const condition = body.string('Condition');
  parseCondition(condition);
  const out = {
    Condition: condition,
    Fallback: readFallback(body.optionalOrText('Fallback') ?? new Fields({}, 'Fallback.')),
    OnTripped: readWebhook(body.optionalOrText('OnTripped')),
    OnStandby: readWebhook(body.optionalOrText('OnStandby')),
    FallbackDuration: body.integer('FallbackDuration', 10 * NANOS.second),
    RecoveryDuration: body.integer('RecoveryDuration', 10 * NANOS.second),
    CheckPeriod: body.integer('CheckPeriod', 100 * NANOS.millisecond),
  };
  if (Math.min(out.FallbackDuration, out.RecoveryDuration, out.CheckPeriod) < 0)
    throw new Error('a duration is less than 0');
  return out;
}

function readFallback(fallback: Fields): Fallback {
  const type = fallback.oneOf('Type', ['response', 'redirect']);
  const action = fallback.inner('Action');
  if (type === 'response') {
    const code = action.integer('StatusCode');
    if (code < 200 || code > 599) throw new Error(`Fallback.Action.StatusCode is ${code}`);
    return {
      Type: type,
      Action: {
        StatusCode: code,
        ContentType: printable(action, 'ContentType'),
        Body: action.string('Body'),
      },
    };
  }
  const url = printable(action, 'URL');
  if (!/^https?:\/\/[^/\s]+/.test(url))
    throw new Error(`Fallback.Action.URL ${JSON.stringify(url)} is no URL`);
  return { Type: type, Action: { URL: url, PreservePath: action.boolean('PreservePath') } };
}

function readWebhook(hook: Fields | null): Webhook | null {
  if (hook === null) return null;
  hook.oneOf('Type', ['webhook']);
  const action = hook.inner('Action');
  const url = printable(action, 'URL');
  if (!/^https?:/i.test(url) || !URL.canParse(url))
    throw new Error(`webhook.Action.URL ${JSON.stringify(url.slice(0, 200))} is no URL`);
  return {
    Type: 'webhook',
    Action: {
      URL: url,
      Method: action.string('Method', 'GET'),
      Headers: action.lists('Headers'),
      Form: action.lists('Form'),
      Body: action.string('Body'),
    },
  };
}

function variable(name: string): string {
  if (isVariable(name)) return name;
  throw new Error(`unsupported limiting variable: '${name}'`);
}

function isVariable(name: string): boolean {
  return /^(client\.ip|request\.host|request\.header\.[A-Za-z0-9!#$%&'*+.^_`|~-]+)$/.test(name);
}

/** `said` is what vulcand calls it. */
function positive(fields: Fields, name: string, said: string): number {
  const value = fields.integer(name);
  if (value > 0) return value;
  throw new Error(`${said} should be > 0, got ${value}`);
}

function printable(fields: Fields, name: string): string {
  const value = fields.string(name);
  if (/\p{Cc}/u.test(value)) throw new Error(`${name} has a control character`);
  return value;
}

function headers(fields: Fields, name: string): readonly string[] {
  const names = fields.strings(name);
  const bad = names.find((item) => !/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(item));
  if (bad !== undefined) throw new Error(`${name} has ${JSON.stringify(bad)}, which is no header name`);
  return names;
}

function compile(regexp: string): void {
  try {
    RE2JS.compile(regexp);
  } catch (error) {
    throw new Error(`Regexp ${JSON.stringify(regexp)}: ${error instanceof Error ? error.message : error}`);
  }
}
