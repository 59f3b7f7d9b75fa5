import { header, literal, quote } from './quote.ts';
import { when } from './text.ts';

const RING = 'requests';

/**
 * One line of JSON, as requests/log.ts reads it, for each request of a frontend that has a cbreaker or a trace; nothing
 * for other frontends, and no log at all if there are no others.
 */
export class RequestLogging {
  readonly #frontends = new Map<string, string>();
  readonly #request = new Headers('rq');
  readonly #response = new Headers('rs');

  /** `mine` is the condition for the frontend. */
  want(frontend: string, mine: string, request: readonly string[], response: readonly string[]): void {
    this.#frontends.set(frontend, mine);
    this.#request.add(request, mine);
    this.#response.add(response, mine);
  }

  /**
   * Section with the ring that keeps lines until the gateway takes them, on a socket that nobody else may write to.
   * @param socket as the worker sees it.
   */
  section(socket: string): string[] {
    if (this.#frontends.size === 0) return [];
    return [
      `ring ${RING}`,
      '  format raw',
      '  maxlen 16384',
      '  size 4194304',
      '  timeout connect 1s',
      '  timeout server 24d',
      `  server gateway unix@${socket}`,
      '',
    ];
  }

  /** Where the log goes and what is in it, for the HAProxy frontend. */
  settings(): string[] {
    if (this.#frontends.size === 0) return [];
    // HAProxy adds the quotes: between ours, an absent value would be a `-`.
    const json = (variable: string): string => `%{+Q}[var(${variable}),json(utf8s)]`;
    const fields = [
      `"fe":${json('txn.watched')}`,
      '"be":"%b"',
      '"srv":"%s"',
      `"m":${json('txn.method')}`,
      '"st":%[var(txn.status)]',
      '"ts":"%ts"',
      '"tr":%Tr',
      `"path":${json('txn.uri')}`,
      `"rq":{${this.#request.fields(json)}}`,
      `"rs":{${this.#response.fields(json)}}`,
    ];
    return [
      `log ring@${RING} len 16384 format raw daemon info`,
      'option dontlognull',
      `log-format ${quote(`{${fields.join(',')}}`)}`,
    ];
  }

  /** Rules that remember what the line needs; they go after the routing and before every rule that answers. */
  rules(): string[] {
    if (this.#frontends.size === 0) return [];
    const watched = '{ var(txn.watched) -m found }';
    return [
      ...[...this.#frontends].map(
        ([frontend, mine]) =>
          `http-request set-var-fmt(txn.watched) ${quote(literal(frontend))}${when(mine)}`,
      ),
      `http-request set-log-level silent${when(`!${watched}`)}`,
      `http-request set-var(txn.method) method${when(watched)}`,
      `http-request set-var(txn.uri) pathq${when(watched)}`,
      // What the client got; HAProxy's own %ST says 503 where the answer is a 502.
      `http-request set-var(txn.status) int(-1)${when(watched)}`,
      `http-after-response set-var(txn.status) status${when(watched)}`,
      ...this.#request.rules('http-request', 'req'),
      ...this.#response.rules('http-response', 'res'),
    ];
  }
}

/** Headers to log; each is kept only for the frontends that ask for it. */
class Headers {
  readonly #prefix: string;
  readonly #wanted = new Map<string, Set<string>>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  add(names: readonly string[], mine: string): void {
    for (const name of names) this.#wanted.set(name, (this.#wanted.get(name) ?? new Set()).add(mine));
  }

  rules(keyword: string, side: 'req' | 'res'): string[] {
    return [...this.#wanted].flatMap(([name, conditions], index) =>
      [...conditions].map(
        (mine) => `${keyword} set-var(${this.#variable(index)}) ${header(side, name)}${when(mine)}`,
      ),
    );
  }

  fields(json: (variable: string) => string): string {
    return [...this.#wanted.keys()]
      .map((name, index) => `${literal(JSON.stringify(name))}:${json(this.#variable(index))}`)
      .join(',');
  }

  #variable(index: number): string {
    return `txn.${this.#prefix}${index}`;
  }
}
