import { ClusterError } from '../../error.ts';
import type { RegistratorRecord } from '../../registry/index.ts';
import type { Session } from '../session.ts';

/** All registrators that run, and what they cannot do for their containers. @throws `no-registrators`. */
export async function registratorStatuses(session: Session): Promise<RegistratorRecord[]> {
  const records = await (await session.registrators()).load();
  if (records.length > 0) return records;
  throw new ClusterError('no-registrators', 'no registrator is running', {
    hint: 'cluster start units/registrator.service, or cluster registrator on a machine',
  });
}
