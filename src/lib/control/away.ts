import { ClusterError } from '../error.ts';
import type { MachineRecord } from '../registry/index.ts';

/** What went wrong on a machine, named as lists name it (`e9436653.../10.0.0.1`): several may share an address. */
export function nameMachine(record: MachineRecord, error: ClusterError): ClusterError {
  const { address } = record.target;
  const legend = `${record.id.slice(0, 8)}.../${address}`;
  const { code, message, hint, exit, place } = error;
  if (message.includes(legend)) return error;
  const named = message.includes(address) ? message.replace(address, () => legend) : `${legend}: ${message}`;
  return new ClusterError(code, named, {
    ...place,
    exit,
    ...(hint !== undefined && { hint }),
    cause: error.cause ?? error,
  });
}
