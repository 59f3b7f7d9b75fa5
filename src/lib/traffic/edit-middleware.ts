import { ClusterError } from '../error.ts';
import { durationMs } from './edit.ts';
import { foldName, isObject } from './fields.ts';
import type { JsonObject, Middleware } from './model.ts';

export type MiddlewareType = Middleware['Type'];

/** What the command line says about a middleware; what is undefined stays as it is. */
export interface MiddlewareEdit {
  readonly priority?: number | undefined;
  readonly period?: number | undefined;
  readonly requests?: number | undefined;
  readonly burst?: number | undefined;
  readonly variable?: string | undefined;
  readonly rateVar?: string | undefined;
  readonly connections?: number | undefined;
  readonly regexp?: string | undefined;
  readonly replacement?: string | undefined;
  readonly rewriteBody?: boolean | undefined;
  readonly redirect?: boolean | undefined;
  readonly addr?: string | undefined;
  readonly reqHeader?: readonly string[] | undefined;
  readonly respHeader?: readonly string[] | undefined;
  readonly condition?: string | undefined;
  /** JSON texts. */
  readonly fallback?: string | undefined;
  readonly onTripped?: string | undefined;
  readonly onStandby?: string | undefined;
  /** Go durations. */
  readonly fallbackDuration?: string | undefined;
  readonly recoveryDuration?: string | undefined;
  readonly checkPeriod?: string | undefined;
}

/** vctl's defaults of each type's own fields. */
const NEW: Readonly<Record<MiddlewareType, JsonObject>> = {
  ratelimit: { PeriodSeconds: 1, Requests: 1, Burst: 1, Variable: 'client.ip', RateVar: '' },
  connlimit: { Connections: 1, Variable: 'client.ip' },
  rewrite: { Regexp: '', Replacement: '', RewriteBody: false, Redirect: false },
  trace: { ReqHeaders: [], RespHeaders: [], Addr: '' },
  cbreaker: {
    Condition: '',
    Fallback: null,
    OnTripped: null,
    OnStandby: null,
    FallbackDuration: 10e9,
    RecoveryDuration: 10e9,
    CheckPeriod: 1e8,
  },
};

/** The JSON to store, not yet checked: `current` with what is said, or a new one. @throws `bad-json`, `bad-duration`. */
export function editMiddleware(
  type: MiddlewareType,
  id: string,
  current: Middleware | null,
  said: MiddlewareEdit,
): JsonObject {
  const given = Object.entries(saidBody(type, said)).filter(([, value]) => value !== undefined);
  return {
    Id: id,
    Priority: said.priority ?? current?.Priority ?? 1,
    Type: type,
    Middleware: { ...NEW[type], ...current?.Middleware, ...Object.fromEntries(given) },
  };
}

/** A stored middleware without those of its parts that an edit replaces as a whole, such as a webhook's headers. */
export function withoutReplaced(stored: JsonObject | null, said: MiddlewareEdit): JsonObject | null {
  if (stored === null) return stored;
  const replaced = new Set(
    [
      said.fallback !== undefined && 'Fallback',
      said.onTripped !== undefined && 'OnTripped',
      said.onStandby !== undefined && 'OnStandby',
    ].flatMap((name) => (name === false ? [] : [foldName(name)])),
  );
  const kept = (body: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(body).filter(([name]) => !replaced.has(foldName(name))));
  return Object.fromEntries(
    Object.entries(stored).map(([name, value]) => [
      name,
      foldName(name) === foldName('Middleware') && isObject(value) ? kept(value) : value,
    ]),
  );
}

function saidBody(type: MiddlewareType, said: MiddlewareEdit): JsonObject {
  switch (type) {
    case 'ratelimit': {
      const { period, requests, burst, variable, rateVar } = said;
      return {
        PeriodSeconds: period,
        Requests: requests,
        Burst: burst,
        Variable: variable,
        RateVar: rateVar,
      };
    }
    case 'connlimit':
      return { Connections: said.connections, Variable: said.variable };
    case 'rewrite': {
      const { regexp, replacement, rewriteBody, redirect } = said;
      return { Regexp: regexp, Replacement: replacement, RewriteBody: rewriteBody, Redirect: redirect };
    }
    case 'trace':
      return { ReqHeaders: said.reqHeader, RespHeaders: said.respHeader, Addr: said.addr };
    case 'cbreaker':
      return {
        Condition: said.condition,
        Fallback: json('--fallback', said.fallback),
        OnTripped: json('--on-tripped', said.onTripped),
        OnStandby: json('--on-standby', said.onStandby),
        FallbackDuration: nanoseconds('--fallback-duration', said.fallbackDuration),
        RecoveryDuration: nanoseconds('--recovery-duration', said.recoveryDuration),
        CheckPeriod: nanoseconds('--check-period', said.checkPeriod),
      };
  }
}

/** An empty text takes the part away. */
function json(flag: string, text: string | undefined): JsonObject | null | undefined {
  if (text === undefined) return undefined;
  if (text === '') return null;
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw new ClusterError('bad-json', `${flag} is not a JSON object`, {
    hint: `such as '{"Type":"response","Action":{"StatusCode":503,"Body":"later"}}'`,
  });
}

const nanoseconds = (flag: string, text: string | undefined): number | undefined =>
  text === undefined ? undefined : Math.round(durationMs(flag, text) * 1e6);
