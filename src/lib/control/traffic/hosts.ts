import { ClusterError } from '../../error.ts';
import { editHost, type HostEdit, newHost, pathOf, readHost, storedHost } from '../../traffic/index.ts';
import type { Session } from '../session.ts';
import { certificateDoubts } from './certificate.ts';
import { warnAboutGateways } from './gateway-warnings.ts';
import { type KeyPairFiles, sealFiles } from './secret.ts';
import {
  type Change,
  checked,
  givenId,
  loadTraffic,
  put,
  removeAll,
  removed,
  upserted,
  warnAbsent,
} from './write.ts';

const EMPTY = 'Hostname can not be empty';

/** Makes or changes a TLS host; a key pair is sealed before it is stored. */
export async function upsertHost(
  session: Session,
  wanted: string | undefined,
  said: HostEdit,
  files: KeyPairFiles,
): Promise<Change> {
  const name = hostName(wanted, 'upsert');
  const given = files.cert !== undefined || files.privateKey !== undefined;
  const sealed = given ? await sealFiles(files) : null;
  const keyPair = sealed === null ? undefined : Buffer.from(sealed.text).toString('base64');
  const traffic = await loadTraffic(session);
  const path = pathOf({ kind: 'host', id: name });
  const host = editHost(traffic.state.hosts.get(name) ?? newHost(name), { ...said, keyPair });
  const value = storedHost(host);
  checked('host', () => readHost(name, value));
  for (const doubt of sealed === null ? [] : certificateDoubts(sealed.certificate, name, new Date()))
    session.emit({ kind: 'warning', message: `host ${name}: ${doubt}` });
  await warnAboutGateways(session, traffic.state, { host });
  return upserted('host', name, host, await put(session, traffic, path, value));
}

export async function removeHost(session: Session, wanted: string | undefined): Promise<Change> {
  const name = hostName(wanted, 'rm');
  const traffic = await loadTraffic(session);
  const path = pathOf({ kind: 'host', id: name });
  if (!traffic.state.stored.has(path)) warnAbsent(session, 'host', name, traffic.state.hosts.keys());
  return removed('host', name, await removeAll(traffic, path, []));
}

function hostName(wanted: string | undefined, verb: string): string {
  const name = givenId('host name', wanted, EMPTY, `cluster host ${verb} --name NAME`);
  if (/^[\w*](?:[\w.-]*\w)?$/.test(name)) return name.toLowerCase();
  throw new ClusterError('bad-id', `${JSON.stringify(name)} is not a host name`, {
    hint: 'such as a.example.test, without a port',
  });
}
