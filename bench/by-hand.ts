/** HAProxy configurations such as a person writes them, for `servers` that answer for `host`. */
export interface ByHand {
  readonly host: string;
  readonly servers: readonly string[];
  readonly port: number;
}

const lines = (text: string): string => text.replace(/^ {4}/gm, '').trimStart();

const listed = (servers: readonly string[]): string =>
  servers.map((server, n) => `      server s${n} ${server}\n`).join('');

/** The least that does it. */
export function plain({ host, servers, port }: ByHand): string {
  return lines(`
    defaults
      mode http
      timeout client 60s
      timeout connect 5s
      timeout server 60s
      option redispatch
    frontend f
      bind 127.0.0.1:${port}
      option forwardfor
      use_backend app if { req.hdr(host) -m str ${host} }
    backend app
      balance roundrobin
${listed(servers)}`);
}

/** One that also tries a GET again elsewhere, and tells servers what vulcand tells them: what a gateway has to do. */
export function alike({ host, servers, port }: ByHand): string {
  return lines(`
    defaults
      mode http
      timeout client 60s
      timeout connect 5s
      timeout server 60s
      option redispatch 1
      retries 1
      retry-on conn-failure empty-response response-timeout
    frontend f
      bind 127.0.0.1:${port}
      http-request set-header X-Forwarded-For %[src]
      http-request set-header X-Real-Ip %[src]
      http-request set-header X-Forwarded-Proto http
      http-request set-header X-Forwarded-Host %[req.hdr(host)]
      http-request set-header X-Forwarded-Port ${port}
      http-request set-header X-Forwarded-Server bench
      use_backend app if { req.hdr(host) -m str ${host} }
    backend app
      balance roundrobin
      http-request disable-l7-retry unless METH_GET
${listed(servers)}`);
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
