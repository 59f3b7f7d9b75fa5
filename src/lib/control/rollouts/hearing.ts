import type { Event } from '../event.ts';
import type { Session } from '../session.ts';

/**
 * The same session, for work of which somebody else hears. What starts is not watched by the work itself: a rollout does
 * that for all units together.
 */
export function hearing(session: Session, emit: (event: Event) => void): Session {
  const config = { ...session.config, minHealthyMs: 0 };
  return new Proxy(session, {
    get: (of, name) => {
      if (name === 'emit') return emit;
      if (name === 'config') return config;
      const value: unknown = Reflect.get(of, name);
      return typeof value === 'function' ? (value.bind(of) as unknown) : value;
    },
  });
}
