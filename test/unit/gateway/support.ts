import type { TranslateOptions } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { readTraffic, type TrafficState } from '../../../src/lib/traffic/index.ts';

export const OPTIONS: TranslateOptions = {
  hostname: 'gateway-1',
  listen: ':80',
  adminSocket: '/run/gateway/admin.sock',
  logSocket: '/log.sock',
  openKeyPair: () => new Error('no seal key'),
};

export type Objects = Readonly<Record<string, unknown>>;
export const entry = (path: string, value: unknown, revision = 1) => ({
  path,
  value: JSON.stringify(value),
  revision,
  lease: null,
});
export const stateOf = (objects: Objects): TrafficState =>
  readTraffic(
    '/vulcand/',
    Object.entries(objects).map(([path, value]) => entry(path, value)),
    1,
  );

export const frontend = (Route: string, BackendId: string, Settings: object = {}) => ({
  Type: 'http',
  BackendId,
  Route,
  Settings,
});
export const demo: Objects = {
  'backends/v1/backend': { Type: 'http' },
  'backends/v1/servers/demo@1': { URL: 'http://10.0.0.1:8080' },
  'backends/v2/backend': { Type: 'http' },
  'backends/v2/servers/demo@1': { URL: 'http://10.0.0.2:8080' },
  'frontends/demo/frontend': frontend('Host("demo.io")', 'v1'),
};
