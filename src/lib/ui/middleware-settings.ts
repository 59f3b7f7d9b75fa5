import { formatGoDuration, type Middleware } from '../traffic/index.ts';

const MS = 1e-6;

/** A middleware's settings in vctl's words: `connections=10, variable=client.ip`. */
export function middlewareSettings(middleware: Middleware): string {
  switch (middleware.Type) {
    case 'ratelimit': {
      const { PeriodSeconds, Requests, Burst, Variable, RateVar } = middleware.Middleware;
      const period = formatGoDuration(PeriodSeconds * 1000);
      return `reqs/${period}=${Requests}, burst=${Burst}, var=${Variable}, rateVar=${RateVar}`;
    }
    case 'connlimit': {
      const { Connections, Variable } = middleware.Middleware;
      return `connections=${Connections}, variable=${Variable}`;
    }
    case 'rewrite': {
      const { Regexp, Replacement, RewriteBody, Redirect } = middleware.Middleware;
      return `regexp=${Regexp}, replacement=${Replacement}, rewriteBody=${RewriteBody}, redirect=${Redirect}`;
    }
    case 'cbreaker': {
      const { Condition, FallbackDuration, RecoveryDuration, CheckPeriod } = middleware.Middleware;
      const [fallback, recovery, period] = [FallbackDuration, RecoveryDuration, CheckPeriod].map((nanos) =>
        formatGoDuration(nanos * MS),
      );
      return `condition=${Condition}, fallback=${fallback}, recovery=${recovery}, period=${period}`;
    }
    case 'trace': {
      const { Addr, ReqHeaders, RespHeaders } = middleware.Middleware;
      return `addr=${Addr}, reqHeaders=[${ReqHeaders.join(' ')}], respHeaders=[${RespHeaders.join(' ')}]`;
    }
  }
}
