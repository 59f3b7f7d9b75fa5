/** HAProxy configurations such as a person writes them, for `servers` that answer for `host`. */
export interface ByHand {
  readonly host: string;
  readonly servers: readonly string[];
  readonly port: number;
}

const lines = (text: string): string => text.replace(/^ {4}/gm, '').trimStart();

/** Lines beyond what every such configuration has. */
interface More {
  readonly defaults: readonly string[];
  readonly frontend: readonly string[];
  readonly backend: readonly string[];
  readonly sections?: readonly string[];
}

function config({ host, servers, port }: ByHand, more: More): string {
  const all = [
    ...['defaults', '  mode http', '  timeout client 60s', '  timeout connect 5s', '  timeout server 60s'],
    ...more.defaults.map((line) => `  ${line}`),
    ...['frontend f', `  bind 127.0.0.1:${port}`],
    ...more.frontend.map((line) => `  ${line}`),
    `  use_backend app if { req.hdr(host) -m str ${host} }`,
    ...['backend app', '  balance roundrobin'],
    ...more.backend.map((line) => `  ${line}`),
    ...servers.map((server, n) => `  server s${n} ${server}`),
  ];
  return `${[...all, ...(more.sections ?? [])].join('\n')}\n`;
}

/** The least that does it. */
export function plain(hand: ByHand): string {
  return config(hand, { defaults: ['option redispatch'], frontend: ['option forwardfor'], backend: [] });
}

/**
 * One that also tries a GET again elsewhere, tells servers what vulcand tells them, and counts requests by frontend: what
 * a gateway has to do. It does not refuse or remove anything that a client sends.
 */
export function alike(hand: ByHand): string {
  return config(hand, {
    defaults: [
      'option redispatch 1',
      'retries 1',
      'retry-on conn-failure empty-response response-timeout 502 504',
    ],
    frontend: [
      'http-request track-sc0 req.hdr(host) table counters',
      'http-request set-header X-Forwarded-For %[src]',
      'http-request set-header X-Real-Ip %[src]',
      'http-request set-header X-Forwarded-Proto http',
      'http-request set-header X-Forwarded-Host %[req.hdr(host)]',
      `http-request set-header X-Forwarded-Port ${hand.port}`,
      'http-request set-header X-Forwarded-Server bench',
    ],
    backend: ['http-request disable-l7-retry unless METH_GET'],
    sections: [
      'backend counters',
      '  stick-table type string len 128 size 20k expire 24h store http_req_cnt,http_req_rate(10s),http_err_cnt,http_fail_cnt',
    ],
  });
}

/** Fast servers, so that it is the gateway that is measured. */
export function servers({ servers }: Pick<ByHand, 'servers'>, body: string): string {
  return lines(`
    global
      nbthread 1
    defaults
      mode http
      timeout client 30s
      timeout connect 5s
      timeout server 30s
    frontend f
${servers.map((server) => `      bind ${server}\n`).join('')}
      http-request return status 200 content-type text/plain file ${body}
`);
}
