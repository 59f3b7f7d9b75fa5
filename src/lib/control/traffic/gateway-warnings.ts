import type { Frontend, Host, Listener, Middleware, TrafficState } from '../../traffic/index.ts';
import type { Session } from '../session.ts';

/** What was just said. */
export interface Spoken {
  readonly frontend?: Frontend;
  /** Of `frontend`. */
  readonly middleware?: Middleware;
  readonly host?: Host;
  readonly listener?: Listener;
}

/**
 * Says where a gateway will do otherwise than this object says. Only the object itself is translated, whatever else
 * the registry holds, so that it costs no time.
 */
export async function sayNotes(session: Session, state: TrafficState, spoken: Spoken): Promise<void> {
  const { translate } = await import('../../gateway/haproxy/translate/translate.ts');
  const { notes, leftOut } = translate(only(state, spoken), {
    hostname: 'gateway',
    listen: ':80',
    adminSocket: '/run/gateway.sock',
    logAddress: '127.0.0.1:514',
    openKeyPair: () => new Error('sealed'),
    ipv6: true,
  });
  const name = nameOf(spoken);
  // Whether a key pair can be used is for those to say who have the seal key.
  for (const { object, message } of spoken.host ? notes : [...leftOut, ...notes])
    if (object === name) session.emit({ kind: 'warning', message: `${object}: ${message}` });
}

function only(state: TrafficState, { frontend, middleware, host, listener }: Spoken): TrafficState {
  const backend = frontend && state.backends.get(frontend.BackendId);
  const middlewares = new Map(frontend && state.middlewares.get(frontend.Id));
  if (middleware) middlewares.set(middleware.Id, middleware);
  return {
    ...state,
    hosts: new Map(host ? [[host.Name, host]] : []),
    // Whether it can speak TLS is for those to say who can open the key pairs.
    listeners: new Map(listener ? [[listener.Id, { ...listener, Protocol: 'http', Settings: null }]] : []),
    backends: new Map(backend ? [[backend.Id, backend]] : []),
    servers: new Map(),
    frontends: new Map(frontend ? [[frontend.Id, frontend]] : []),
    middlewares: new Map(frontend ? [[frontend.Id, middlewares]] : []),
  };
}

/** As translate names it. */
function nameOf({ frontend, middleware, host, listener }: Spoken): string {
  if (host) return `host ${host.Name}`;
  if (listener) return `listener ${listener.Id}`;
  if (middleware) return `${middleware.Type} ${middleware.Id} of frontend ${frontend?.Id}`;
  return `frontend ${frontend?.Id}`;
}
