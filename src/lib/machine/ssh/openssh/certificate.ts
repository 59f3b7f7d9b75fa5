import { spawnSync } from 'node:child_process';

/** What is wrong with the certificates that a login offered, if one of them explains the refusal; for a person. */
export function certificateProblem(log: string, user: string): string | null {
  const offered = [...log.matchAll(/^debug1: Offering public key: (.+?) \S+-CERT \S+/gm)];
  for (const [, name = ''] of offered) {
    // A certificate beside its key is logged by the name of the key.
    for (const file of [name, `${name}-cert.pub`, `${name}.pub`]) {
      const { status, stdout } = spawnSync('ssh-keygen', ['-L', '-f', file], {
        encoding: 'utf8',
        timeout: 5000,
      });
      const problem = status === 0 ? judge(file, stdout, user, new Date()) : null;
      if (problem !== null) return problem;
    }
  }
  return null;
}

/** Reads the answer of `ssh-keygen -L`. */
export function judge(file: string, text: string, user: string, now: Date): string | null {
  const [, from, to] = /Valid: from (\S+) to (\S+)/.exec(text) ?? [];
  // ssh-keygen prints local times without a zone, which is how Date reads them.
  if (to !== undefined && new Date(to) < now) return `the certificate ${file} expired at ${to}`;
  if (from !== undefined && new Date(from) > now)
    return `the certificate ${file} is not valid before ${from}`;
  const [, list = ''] = /Principals:\s*\n((?:\s{8,}\S+\n)*)/.exec(text) ?? [];
  const names = list.split('\n').flatMap((line) => line.trim() || []);
  if (names.length > 0 && !names.includes(user) && !names.includes('(none)'))
    return `the certificate ${file} is for ${names.join(', ')}`;
  return null;
}
