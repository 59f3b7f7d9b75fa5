import { count, text } from '../flags.ts';
import { removeMiddleware, upsertMiddleware } from '../lib/control/traffic/middleware.ts';
import {
  frontendFlag,
  gatewayWaitFlags,
  idArgument,
  idFlag,
  oneId,
  TrafficCommand,
  ttlFlag,
} from './_traffic.ts';

type Type = Parameters<typeof upsertMiddleware>[1]['type'];
type Edit = Parameters<typeof upsertMiddleware>[2];

/** Flags that all middlewares have. */
export const middlewareFlags = {
  ...frontendFlag,
  ...idFlag('middleware'),
  priority: count('priority', 'middlewares with a lower one run first; 1 by default'),
  ...ttlFlag,
  ...gatewayWaitFlags,
};

export const variableFlag = {
  variable: text('variable', 'what to count by: client.ip, request.host or request.header.NAME', {
    aliases: ['var'],
  }),
};

interface Given {
  readonly frontend?: string | undefined;
  readonly id?: string | undefined;
  readonly ttl?: string | undefined;
  readonly wait: boolean | undefined;
  readonly 'wait-timeout': string;
}

export abstract class MiddlewareUpsert extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'middlewares';
  protected upsert(type: Type, flags: Given, edit: Edit): Promise<void> {
    const { frontend, id, ttl } = flags;
    return this.change(
      { ...flags },
      (session) => upsertMiddleware(session, { type, frontend, id }, edit, ttl),
      `${type} upserted`,
    );
  }
}

export abstract class MiddlewareRm extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'middlewares';
  static override args = idArgument('middleware');
  static override flags = { ...frontendFlag, ...idFlag('middleware'), ...gatewayWaitFlags };

  protected async remove(type: Type): Promise<void> {
    const { args, flags } = await this.parse(MiddlewareRm);
    const name = { type, frontend: flags.frontend, id: oneId(flags.id, args.id) };
    await this.change(flags, (session) => removeMiddleware(session, name), `${type} deleted`);
  }
}
