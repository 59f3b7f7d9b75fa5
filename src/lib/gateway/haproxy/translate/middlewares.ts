import type { CircuitBreaker, Middleware, Trace } from '../../../traffic/index.ts';
import type { Note } from '../../model.ts';
import { encodeName } from '../names.ts';
import { fallbackRule } from './fallback.ts';
import { limitNotes, limitOf } from './limits.ts';
import { Unservable } from './quote.ts';
import { RequestLogging } from './request-logging.ts';
import { rewriteRules } from './rewrite.ts';
import { type Group, Steps } from './steps.ts';
import { ofFrontend } from './text.ts';

/** Holds the keys of the breakers that are open: their frontends get the fallback. */
export const BREAKERS_MAP = 'breakers.map';

export function breakerKey(frontend: string, middleware: string): string {
  return `${encodeName(frontend)}/${encodeName(middleware)}`;
}

/** HAProxy has three counters for a request; the first counts for the statistics. */
const COUNTERS = [1, 2] as const;

/** All middlewares of all frontends in HAProxy's words. */
export class Middlewares {
  readonly steps = new Steps();
  readonly files = new Map<string, string>();
  readonly leftOut: Note[] = [];
  readonly notes: Note[] = [];
  readonly logging = new RequestLogging();

  /** Adds a frontend's middlewares in the order in which they run: by priority, ties by id. */
  add(frontend: string, middlewares: Iterable<Middleware>): void {
    const ordered = [...middlewares].sort((a, b) => a.Priority - b.Priority || (a.Id < b.Id ? -1 : 1));
    if (ordered.length === 0) return;
    const mine = ofFrontend(encodeName(frontend));
    let limits = 0;
    for (const [position, middleware] of ordered.entries()) {
      const object = `${middleware.Type} ${middleware.Id} of frontend ${frontend}`;
      const note = (message: string): unknown => this.notes.push({ object, message });
      const shared = (settings: object, build: (group: Group) => readonly string[]): void =>
        this.steps.share(position, frontend, settings, build);
      try {
        switch (middleware.Type) {
          case 'connlimit':
          case 'ratelimit': {
            const counter = COUNTERS[limits++];
            if (counter === undefined)
              throw new Unservable(`HAProxy can enforce only ${COUNTERS.length} limits of a frontend`);
            const { Type, Middleware } = middleware;
            shared({ Type, Middleware, counter }, (group) => {
              const { rules, table } = limitOf(middleware, counter, group);
              this.steps.tables.push(...table);
              return rules;
            });
            for (const message of limitNotes(middleware)) note(message);
            break;
          }
          case 'rewrite': {
            // Tried here, before it is known who shares it: what cannot be translated leaves out this middleware only.
            rewriteRules(middleware, mine);
            const { Type, Middleware } = middleware;
            shared({ Type, Middleware }, (group) => rewriteRules(middleware, group.mine));
            if (Middleware.RewriteBody) note('RewriteBody is not supported: bodies pass unchanged');
            break;
          }
          case 'cbreaker':
            this.#breaker(frontend, middleware, position, mine, note);
            break;
          case 'trace':
            this.#trace(frontend, middleware, mine);
        }
      } catch (error) {
        if (!(error instanceof Unservable)) throw error;
        this.leftOut.push({ object, message: error.message });
      }
    }
  }

  #breaker(
    frontend: string,
    { Id, Middleware }: CircuitBreaker,
    position: number,
    mine: string,
    note: (m: string) => unknown,
  ): void {
    const key = breakerKey(frontend, Id);
    const file = `answers/${encodeName(frontend)}.${encodeName(Id)}`;
    const tripped = `{ str(${key}),map_str(${BREAKERS_MAP}) -m found }`;
    const { rule, file: body, notes } = fallbackRule(Middleware.Fallback, file, mine, tripped);
    if (body !== null) this.files.set(file, body);
    this.steps.own(position, [rule]);
    this.logging.want(frontend, mine, [], []);
    for (const message of notes) note(message);
  }

  #trace(frontend: string, { Middleware }: Trace, mine: string): void {
    this.logging.want(frontend, mine, Middleware.ReqHeaders, Middleware.RespHeaders);
  }
}
