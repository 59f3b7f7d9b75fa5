import { ClusterError } from '../../error.ts';
import type { Claim, FileChange, InstallFile, JobOutcome, Machine } from '../../machine/index.ts';
import { installClaims, parseUnitFile, parseUnitName, renderUnit } from '../../unit/index.ts';

const CLAIMS = /^[ \t]*(Alias|Also)[ \t]*=/m;

/** What the [Install] sections of these units claim on this machine. */
export async function claimsOf(machine: Machine, files: readonly InstallFile[]): Promise<Claim[]> {
  const claiming = files.filter(({ text }) => CLAIMS.test(text));
  const details = claiming.some(({ text }) => text.includes('%')) ? await machine.details() : null;
  return claiming.flatMap(({ unit, text }) => {
    const name = parseUnitName(unit);
    const filled = details === null ? text : renderUnit(text, name, details);
    return installClaims(parseUnitFile(filled), name).map((claim) => ({ unit, ...claim }));
  });
}

/** Applies a change without the units that the machine refuses, so that one of them holds up no other. @returns those. */
export async function applyAllowed(machine: Machine, change: FileChange): Promise<JobOutcome[]> {
  const refused: JobOutcome[] = [];
  let rest = change;
  for (;;) {
    const asked = rest.install.length + rest.remove.length + (rest.claims?.length ?? 0);
    if (asked === 0) return refused;
    try {
      await machine.apply(rest);
      return refused;
    } catch (error) {
      const unit =
        error instanceof ClusterError && error.code === 'unit-foreign' ? error.place.unit : undefined;
      const concerned = [...rest.install, ...(rest.claims ?? [])].some((item) => item.unit === unit);
      if (unit === undefined || !concerned) throw error;
      refused.push(refusal(unit, error as ClusterError));
      rest = {
        ...rest,
        install: rest.install.filter((item) => item.unit !== unit),
        claims: (rest.claims ?? []).filter((item) => item.unit !== unit),
      };
    }
  }
}

function refusal(unit: string, { message, hint }: ClusterError): JobOutcome {
  const status = { unit, load: 'not-found', active: 'inactive', sub: 'dead' };
  const failure = { result: 'refused', how: message, journal: [], ...(hint !== undefined && { hint }) };
  return { unit, result: 'failed', status, failure };
}
