import { ClusterError, type ErrorPlace } from '../error.ts';
import type { UnitFile } from './file.ts';
import { splitQuoted } from './quoting.ts';
import { fleetValues } from './xfleet.ts';

/** How somebody who changes a unit finds out whether it is well; asked on the unit's machine. */
export type HealthCheck =
  /** Good is any answer from 200 to 399. */
  | { readonly kind: 'http'; readonly url: string }
  /** Good is exit status 0. */
  | { readonly kind: 'command'; readonly argv: readonly string[] };

/**
 * The check that `HealthCheck=` of [X-Fleet] asks for, the last one where there are several; null = none.
 * @throws `bad-health-check` for what is neither an http URL nor a command with an absolute path; what `fleetValues` throws.
 */
export function healthCheckOf(unit: string, file: UnitFile): HealthCheck | null {
  const last = fleetValues(unit, file)
    .filter(({ key }) => key === 'HealthCheck')
    .at(-1);
  if (last === undefined || last.value === '') return null;
  const place = { unit, line: last.line, ...(file.file !== undefined && { file: file.file }) };
  return readHealthCheck(last.value, place);
}

function readHealthCheck(value: string, place: ErrorPlace): HealthCheck {
  if (value.startsWith('/')) return { kind: 'command', argv: splitQuoted(value) };
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(value)?.[1];
  const bad = (what: string): ClusterError =>
    new ClusterError('bad-health-check', `HealthCheck=${value}: ${what}`, {
      ...place,
      hint: 'write http://127.0.0.1:PORT/PATH, or a command with its absolute path; nothing was changed',
    });
  if (scheme === undefined) throw bad('neither an http URL nor a command with an absolute path');
  if (scheme.toLowerCase() !== 'http') throw bad(`scheme ${JSON.stringify(scheme)} is not known`);
  if (!URL.canParse(value)) throw bad('not a URL');
  const { hostname, username, password } = new URL(value);
  if (hostname === '') throw bad('it names no address');
  if (username !== '' || password !== '') throw bad('a URL with a user or password is not asked');
  return { kind: 'http', url: value };
}
