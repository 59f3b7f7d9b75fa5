import { readFile } from 'node:fs/promises';
import { ClusterError } from '../../error.ts';
import {
  certificateFacts,
  certificateFaults,
  editHost,
  type Host,
  type HostEdit,
  newHost,
  pathOf,
  readHost,
  storedHost,
} from '../../traffic/index.ts';
import type { Session } from '../session.ts';
import { warnAboutGateways } from './gateway-warnings.ts';
import { type KeyPairFiles, sealFiles } from './secret.ts';
import { checked, givenId, loadTraffic, put, removeAll, warnAbsent } from './write.ts';

const EMPTY = 'Hostname can not be empty';

/** Makes or changes a TLS host; a key pair is sealed before it is stored. */
export async function upsertHost(
  session: Session,
  wanted: string | undefined,
  said: HostEdit,
  files: KeyPairFiles,
): Promise<Host> {
  const name = hostName(wanted, 'upsert');
  const given = files.cert !== undefined || files.privateKey !== undefined;
  const keyPair = given ? Buffer.from(await sealFiles(files)).toString('base64') : undefined;
  const traffic = await loadTraffic(session);
  const path = pathOf({ kind: 'host', id: name });
  const host = editHost(traffic.state.hosts.get(name) ?? newHost(name), { ...said, keyPair });
  const value = storedHost(host);
  checked('host', () => readHost(name, value));
  if (files.cert !== undefined) await warnAboutCertificate(session, name, files.cert);
  await warnAboutGateways(session, traffic.state, { host });
  await put(session, traffic, path, value);
  return host;
}

/** Gateways serve it all the same: it may be renewed, or asked for by clients that do not check. */
async function warnAboutCertificate(session: Session, name: string, file: string): Promise<void> {
  const facts = certificateFacts(await readFile(file, 'utf8'));
  for (const fault of certificateFaults(facts, name, Date.now()))
    session.emit({ kind: 'warning', message: `host ${name}: ${fault}` });
}

export async function removeHost(session: Session, wanted: string | undefined): Promise<void> {
  const name = hostName(wanted, 'rm');
  const traffic = await loadTraffic(session);
  const path = pathOf({ kind: 'host', id: name });
  if (!traffic.state.stored.has(path)) warnAbsent(session, 'host', name, traffic.state.hosts.keys());
  await removeAll(traffic, path, []);
}

function hostName(wanted: string | undefined, verb: string): string {
  const name = givenId('host name', wanted, EMPTY, `cluster host ${verb} --name NAME`);
  if (/^[\w*](?:[\w.-]*\w)?$/.test(name)) return name.toLowerCase();
  throw new ClusterError('bad-id', `${JSON.stringify(name)} is not a host name`, {
    hint: 'such as a.example.test, without a port',
  });
}
