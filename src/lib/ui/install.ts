import type { InstallOutcome, InstallProgress } from '../control/machines/install.ts';
import type { Sentence } from './events.ts';
import { machineLegend } from './format.ts';

/** How many quarters of a release have gone, so that each is told once. */
const quarter = (bytes: number, total: number): number => Math.floor((bytes * 4) / total);

/** What `machine install` says as it goes; results to stdout. Called with each step, in order. */
export function installTeller(): (step: InstallProgress) => Sentence[] {
  const told = new Map<string, number>();
  return (step) => {
    if (step.kind === 'done') return [{ to: 'stdout', text: doneLine(step.outcome) }];
    const where = machineLegend(step.machine, false);
    if (step.kind === 'kept')
      return [
        {
          to: 'stderr',
          text: `WARNING: ${where}: ${step.path} is not ours and was left alone; /opt/cluster/bin/cluster is`,
        },
      ];
    const { bytes, total, release } = step;
    const now = quarter(bytes, total);
    if (told.get(step.machine.id) === now) return [];
    told.set(step.machine.id, now);
    const size = `${Math.ceil(total / 1024 / 1024)} MiB`;
    if (now === 0) return [{ to: 'stderr', text: `${where}: sending ${named(release)}, ${size}` }];
    const text = now === 4 ? 'sent, unpacking' : `${now * 25}% of ${size} sent`;
    return [{ to: 'stderr', text: `${where}: ${text}` }];
  };
}

function doneLine({ machine, version, hash, release, settings }: InstallOutcome): string {
  const how = release === 'same' ? 'is already on' : 'installed on';
  const also = settings === 'written' ? ', /etc/cluster/environment written' : '';
  return `Release ${named({ version, hash })} ${how} ${machineLegend(machine, false)}${also}`;
}

/** Which running units still use what was there before, and the command that changes it; empty for none. */
export function outdatedLines(outcomes: readonly InstallOutcome[]): string[] {
  const machines = outcomes.filter(({ outdated }) => outdated.length > 0).length;
  const units = [...new Set(outcomes.flatMap(({ outdated }) => outdated))].sort();
  if (units.length === 0) return [];
  const where = `${machines} machine${machines === 1 ? '' : 's'}`;
  return [
    `Still running the release or settings from before, on ${where}: ${units.join(' ')}`,
    `  one machine after another: cluster restart --rolling ${units.join(' ')}`,
  ];
}

const named = ({ version, hash }: { version: string; hash: string }): string =>
  `${version} (${hash.slice(0, 7)})`;
