import type { Frontend, Host, Listener, Middleware, TrafficState } from '../../traffic/index.ts';
import type { Session } from '../session.ts';

/** The object that was just written. */
export interface Written {
  readonly frontend?: Frontend;
  /** Of `frontend`. */
  readonly middleware?: Middleware;
  readonly host?: Host;
  readonly listener?: Listener;
}

/** Warns where gateways will leave this object out or serve it differently from what it says. */
export async function warnAboutGateways(
  session: Session,
  state: TrafficState,
  written: Written,
): Promise<void> {
  const { chosenProxy } = await import('../../gateway/chosen-proxy.ts');
  const { leftOut, notes } = chosenProxy.notes(only(state, written));
  const name = nameOf(written);
  for (const { object, message } of [...leftOut, ...notes])
    if (object === name) session.emit({ kind: 'warning', message: `${object}: ${message}` });
}

/** The object alone, with what it refers to: the rest of the registry costs no time then. */
function only(state: TrafficState, { frontend, middleware, host, listener }: Written): TrafficState {
  const backend = frontend && state.backends.get(frontend.BackendId);
  const middlewares = new Map(frontend && state.middlewares.get(frontend.Id));
  if (middleware) middlewares.set(middleware.Id, middleware);
  return {
    ...state,
    hosts: new Map(host ? [[host.Name, host]] : []),
    listeners: new Map(listener ? [[listener.Id, listener]] : []),
    backends: new Map(backend ? [[backend.Id, backend]] : []),
    servers: new Map(),
    frontends: new Map(frontend ? [[frontend.Id, frontend]] : []),
    middlewares: new Map(frontend ? [[frontend.Id, middlewares]] : []),
  };
}

/** As notes name it. */
function nameOf({ frontend, middleware, host, listener }: Written): string {
  if (host) return `host ${host.Name}`;
  if (listener) return `listener ${listener.Id}`;
  if (middleware) return `${middleware.Type} ${middleware.Id} of frontend ${frontend?.Id}`;
  return `frontend ${frontend?.Id}`;
}
