/**
 * The container runtime behind a port, and Docker as its one implementation. It must not know what is announced.
 */
import { constants } from 'node:os';
import type { Container, ContainerPort } from '../offers/model.ts';

type Json = { readonly [name: string]: unknown };

/** Reads what Docker's `inspect` answers. @throws Error that says what is missing. */
export function readContainer(inspected: unknown): Container {
  const all = object(inspected);
  const id = text(all.Id);
  if (id === '') throw new Error('Docker described a container without an id');
  const config = object(all.Config);
  const state = object(all.State);
  return {
    id,
    name: text(all.Name).replace(/^\//, ''),
    image: text(config.Image),
    metadata: [...environment(config.Env), ...labels(config.Labels)],
    startedAt: text(state.StartedAt),
    running: state.Running === true,
    paused: state.Paused === true,
    health: health(object(state.Health).Status),
    stopSignal: text(config.StopSignal) || 'SIGTERM',
    onHost: onHost(all),
    ports: ports(all, config),
  };
}

/** Whether a signal as Docker names it (`15`, `TERM`, `SIGTERM`, `SIGRTMIN+3`) is meant to end the container. */
export function endsContainer(signal: string | null, stopSignal: string): boolean {
  if (signal === null) return false;
  const number = signalNumber(signal);
  return number === constants.signals.SIGKILL || number === signalNumber(stopSignal);
}

/** Docker and Linux count real-time signals from 34. An unknown name stays a name. */
function signalNumber(signal: string): number | string {
  if (/^\d+$/.test(signal)) return Number(signal);
  const name = `SIG${signal.toUpperCase().replace(/^SIG/, '')}`;
  const [, edge, offset = '0'] = /^SIGRT(MIN|MAX)((?:[+-]\d+)?)$/.exec(name) ?? [];
  if (edge === 'MIN') return 34 + Number(offset || 0);
  if (edge === 'MAX') return 64 + Number(offset || 0);
  return Object.entries(constants.signals).find(([known]) => known === name)?.[1] ?? name;
}

function environment(list: unknown): (readonly [string, string])[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item) => {
    const at = typeof item === 'string' ? item.indexOf('=') : -1;
    return at === -1 ? [] : [[item.slice(0, at), item.slice(at + 1)] as const];
  });
}

function labels(map: unknown): (readonly [string, string])[] {
  return Object.entries(object(map)).map(([name, value]) => [name, text(value)] as const);
}

function health(status: unknown): Container['health'] {
  return status === 'starting' || status === 'healthy' || status === 'unhealthy' ? status : null;
}

const onHost = (all: Json): boolean => text(object(all.HostConfig).NetworkMode) === 'host';

/** Docker does not bind what is published with host networking, but remembers it. */
function ports(all: Json, config: Json): ContainerPort[] {
  const network = object(all.NetworkSettings);
  const internal = onHost(all) ? '' : ownAddress(network);
  const bound = object(onHost(all) ? object(all.HostConfig).PortBindings : network.Ports);
  const names = new Set([...Object.keys(bound), ...Object.keys(object(config.ExposedPorts))]);
  const out: ContainerPort[] = [];
  for (const name of names) {
    const [digits = '', protocol = 'tcp'] = name.split('/');
    const port = portNumber(digits);
    if (port === null || (protocol !== 'tcp' && protocol !== 'udp')) continue;
    const published = onHost(all) ? (name in bound ? [{ host: '', port }] : []) : bindings(bound[name]);
    out.push({ port, protocol, internal, published });
  }
  return out.sort((a, b) => a.port - b.port || a.protocol.localeCompare(b.protocol));
}

/** The default bridge's address, else that of the first network by name; IPv6 where there is no other. */
function ownAddress(network: Json): string {
  const networks = Object.entries(object(network.Networks)).sort(([a], [b]) => (a < b ? -1 : 1));
  const all = [network, ...networks.map(([, value]) => object(value))];
  const addresses = ['IPAddress', 'GlobalIPv6Address'].flatMap((name) => all.map((one) => text(one[name])));
  return addresses.find((address) => address !== '') ?? '';
}

function bindings(list: unknown): { host: string; port: number }[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item) => {
    const port = portNumber(text(object(item).HostPort));
    return port === null ? [] : [{ host: text(object(item).HostIp), port }];
  });
}

function portNumber(digits: string): number | null {
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  return port >= 1 && port <= 65_535 ? port : null;
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
