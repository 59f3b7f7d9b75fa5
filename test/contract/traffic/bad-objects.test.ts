import { expect, test } from 'vitest';
import { addr, at, KEY, listener, pair, refuses, url, withObjects, words } from './support/bad-input.ts';

withObjects();

const secure = (file: string, auth = 'required') =>
  listener('-addr', ':81', '--proto', 'https', '--client-ca', file, '--client-auth', auth);

refuses([
  ['a URL with a path', url('http://10.0.0.1:80/x'), 1, /'http:\/\/10\.0\.0\.1:80\/x' is not valid/],
  ['a URL with a query', url('http://a:80?x=1'), 1, /is not valid/],
  ['a URL with a user', url('http://u:p@a:80'), 1, /u:p@a/],
  ['a URL with a line end', url('http://a:80\nserver evil'), 1, /'http:\/\/a:80\\nserver evil'/],
  ['another scheme', url('ftp://a'), 1, /unsupported protocol 'ftp'/],
  ['a script', url('javascript:alert(1)'), 1, /javascript:alert\(1\)/],
  ['no scheme', url('10.0.0.1:80'), 1, /'10\.0\.0\.1:80'/],
  ['no host', url('http://:80'), 1, /'http:\/\/:80'/],
  ['nothing', url(''), 1, /endpoint url ''/],
  ['port 0', url('http://a:0'), 1, /'http:\/\/a:0'/],
  ['port 70000', url('http://a:70000'), 1, /'http:\/\/a:70000'/],
  ['an address that is none', url('http://300.1.1.1:80'), 1, /300\.1\.1\.1/],
  ['an IPv6 address that is none', url('http://[:::::]:80'), 1, /\[:::::\]/],
  ['a host with an empty label', url('http://a..b:80'), 1, /a\.\.b/],
  ['a host name of 2000 characters', url(`http://${'x'.repeat(2000)}:80`), 1, /'http:\/\/x{190,200}'/],
  ['no URL for a new server', words('server upsert -b app-v1.0 -id s2'), 1, /endpoint url ''/],
  [
    'a server of an unknown backend',
    words('server upsert -b nope -id s -url http://a:1'),
    1,
    /no backend nope/,
  ],
  ['a weight of 257', words('server upsert -b app-v1.0 -id s1 -weight 257'), 1, /Weight is 257/],
  [
    'a weight of 1.5',
    words('server upsert -b app-v1.0 -id s1 -weight 1.5'),
    64,
    /--weight: expected an integer.*1\.5/,
  ],
  [
    'a server that is not there',
    words('server show -b app-v1.0 s2'),
    1,
    /no server s2[\s\S]*server ls -b app-v1\.0/,
  ],
  ['a server of a backend that is not', words('server show -b nope s2'), 1, /no backend nope/],

  ['a sealing key of garbage', pair('a.key', 'a.pem', 'zz'), 1, /seal key is not 64 hex digits/],
  ['halves of two key pairs', pair('b.key', 'a.pem', KEY), 1, /b\.key is not the private key of a\.pem/],
  ['halves exchanged', pair('a.pem', 'a.key', KEY), 1, /a\.key and a\.pem/],
  ['a folder for a key', pair('.', 'a.pem', KEY), 1, /EISDIR/],
  ['a host with a blank', ['host', 'upsert', '-name', 'a b'], 1, /"a b" is not a host name/],
  [
    'an OCSP responder of garbage',
    ['host', 'upsert', '-name', 'a.test', '-ocspResponder', 'x y'],
    1,
    /--ocsp-responder "x y"/,
  ],

  ['a listener on junk', addr('junk'), 1, /"junk" is not HOST:PORT/],
  ['a listener on port 0', addr(':0'), 1, /":0" is not HOST:PORT/],
  ['a listener on port 70000', addr(':70000'), 1, /":70000" is not HOST:PORT/],
  ['a listener on no IP address', addr('300.1.1.1:80'), 1, /300\.1\.1\.1/],
  ['a listener on no IPv6 address', addr('[:::::]:80'), 1, /\[:::::\]:80/],
  ['a listener with a directive behind', addr('1.2.3.4:80\n  bind :81'), 1, /"1\.2\.3\.4:80\\n {2}bind :81"/],
  [
    'a socket that is not absolute',
    listener('-net', 'unix', '-addr', 'a/b'),
    1,
    /"a\/b" is not a name for a socket/,
  ],
  ['a network that is none', listener('-net', 'udp', '-addr', ':80'), 1, /Network is "udp"/],
  [
    'a protocol that is none',
    listener('-proto', 'ftp', '-addr', ':80'),
    1,
    /unsupported protocol 'ftp', supported protocols are http and https/,
  ],
  ['a scope that does not parse', listener('-addr', ':80', '-scope', 'x('), 1, /Scope should be.*x\(/],
  ['authorities in no file', secure('none.pem'), 1, /--client-ca none\.pem: ENOENT/],
  ['a key for authorities', secure('a.key'), 1, /--client-ca a\.key: it has no certificate/],
  ['authorities that nobody is asked by', secure('a.pem', 'none'), 1, /clients are not asked/],
  [
    'a word for asking clients that is none',
    secure('a.pem', 'maybe'),
    1,
    /"maybe" is not required, optional/,
  ],
  [
    'clients asked for certificates of nobody',
    listener('-addr', ':81', '--proto', 'https', '--client-auth', 'required'),
    1,
    /no authority is known[\s\S]*--client-ca FILE/,
  ],
  [
    'certificates without TLS',
    listener('-addr', ':81', '--client-ca', 'a.pem'),
    1,
    /only a listener with https[\s\S]*--proto https/,
  ],
  ['a TLS version that is none', words('backend upsert -id new -tlsMinV 1.2'), 1, /MinVersion is "1\.2"/],
  [
    'a session cache that is none',
    words('backend upsert -id new -tlsSessionCache x'),
    1,
    /--tls-session-cache "x"/,
  ],
]);

test('ids that differ only in case are two objects', async () => {
  expect((await at.run('server', 'ls', '-b', 'APP-v1.0')).stdout).not.toContain('s1');
  expect((await at.run('server', 'ls', '-b', 'app-v1.0')).stdout).toContain('s1');
});

test('a listener that no gateway can have is taken, as a vulcand may, and said', async () => {
  expect(await at.run(...addr('name.test:80'))).toMatchObject({
    code: 0,
    stderr: 'WARNING: listener l: name.test is not an IP address\n',
  });
});
