import { ClusterError } from '../error.ts';

/** Refuses a lab's name that could not be a host name: folders, machines and links are named after it. */
export function checkLabName(name: string): string {
  if (/^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) return name;
  throw new ClusterError('lab-bad-name', `"${name}" cannot be the name of a lab`, {
    hint: 'use up to 32 small letters, digits and dashes, starting with a letter, such as `lab`',
  });
}
