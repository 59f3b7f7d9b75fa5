import type { Event } from '../control/event.ts';
import type { Exclusion } from '../plan/model.ts';
import { printable } from '../printable.ts';
import { machineId, machineLegend, metadataText, planMachine } from './format.ts';
import { rolloutLine, rolloutUnitLines } from './rollout.ts';

export interface Sentence {
  /** Results go to stdout, everything a script does not want to read to stderr. */
  readonly to: 'stdout' | 'stderr';
  readonly text: string;
}

/** What happened, in fleet's sentences where fleet has one; harmless on a terminal, each on one line. */
export function sentences(event: Event): Sentence[] {
  return told(event).map(({ to, text }) => ({ to, text: printable(text) }));
}

function told(event: Event): Sentence[] {
  const out = (text: string): Sentence[] => [{ to: 'stdout', text }];
  const err = (text: string): Sentence[] => [{ to: 'stderr', text }];
  switch (event.kind) {
    case 'problem':
      return err(`WARNING: ${event.key}: ${event.message}; left alone`);
    case 'held':
      return err(
        `WARNING: ${event.unit} is not started on ${machineLegend(event.machine, false)}: ${event.why}`,
      );
    case 'upheld':
      return err(
        `WARNING: ${event.unit} runs on, on ${machineLegend(event.machine, false)}: ${event.why}; stop that one, too`,
      );
    case 'overtaken':
      return [
        ...err(
          `Error: somebody else changed ${event.unit} while this command ran: it is ${event.desired ?? 'destroyed'} now`,
        ),
        ...err('  try: look again (cluster list-unit-files) and repeat the command if you still mean it'),
      ];
    case 'leaving':
      return err(
        `WARNING: ${event.unit} may still be on ${event.machines.map((one) => machineLegend(one, false)).join(', ')}; cluster reconcile removes it once that answers`,
      );
    case 'created':
    case 'inactive':
      return out(`Unit ${event.unit} inactive`);
    case 'taking': {
      const verb = event.action === 'stop' ? 'Stopping' : 'Removing';
      return out(`${verb} ${event.unit} on ${machineLegend(event.machine, false)}: ${event.reason}`);
    }
    case 'unknown-units': {
      const { length } = event.units;
      const what = length === 1 ? 'a unit' : `${length} units`;
      return [
        ...err(
          `Error: ${machineLegend(event.machine, false)}: cluster installed ${what} there that this registry has no record of: ${event.units.join(' ')}; left as it is`,
        ),
        ...err(
          '  try: cluster reconcile --dry-run; cluster reconcile --yes stops and removes what is unknown',
        ),
      ];
    }
    case 'state':
      return out(`Unit ${event.unit} ${event.state} on ${machineLegend(event.machine, false)}`);
    case 'moved':
      return out(
        `Unit ${event.unit} moved from ${machineLegend(event.from, false)} to ${machineLegend(event.to, false)}: ${event.reason}`,
      );
    case 'destroyed':
      return out(`Destroyed ${event.unit}`);
    case 'triggered':
      return out(`Triggered ${event.global ? 'global ' : ''}unit ${event.unit} ${event.verb}`);
    case 'same':
      return out(`Found same Unit(${event.unit}) in Registry, nothing to do`);
    case 'differs':
      return err(
        `WARNING: Unit ${event.unit} in registry differs from local ${event.template ? 'template ' : ''}unit file ${event.path}. Add --replace to override.`,
      );
    case 'outdated':
      return err(
        `WARNING: ${event.template} changed; out of date now: ${event.units.join(' ')}. Roll it out with start --replace.`,
      );
    case 'unreplaceable':
      return err(
        `Warning: can not replace Unit(${event.unit}) in state '${event.desired}', use the appropriate command`,
      );
    case 'refused':
      return refusal(event.unit, event.reasons, event.withdrawn ? 'withdrawn' : 'kept').map((text) => ({
        to: 'stderr',
        text,
      }));
    case 'failed':
      return [
        ...err(`Error: unit ${event.unit} failed on ${machineLegend(event.machine, false)}: ${event.how}`),
        ...event.journal.map((line): Sentence => ({ to: 'stderr', text: `  | ${line}` })),
        ...err(`  try: ${event.hint ?? `cluster journal ${event.unit}`}`),
      ];
    case 'unreachable':
      return unreachable(event).map((text) => ({ to: 'stderr', text }));
    case 'away':
      return err(
        `WARNING: ${machineLegend(event.machine, false)} is away: ${event.message}; it is followed again when it is back`,
      );
    case 'back':
      return err(`Machine ${machineLegend(event.machine, false)} is back after ${event.seconds} s`);
    case 'rollout':
      return event.state === 'checking' || event.state === 'running' ? [] : out(rolloutLine(event));
    case 'rollout-unit':
      return rolloutUnitLines(event).map((text): Sentence => ({ to: 'stdout', text }));
    case 'machine-added':
      return out(
        `Machine ${machineLegend(event.machine, false)} ${event.updated ? 'updated' : 'added'}: ${event.text}`,
      );
    case 'machine-metadata':
      return out(
        `Machine ${machineId(event.machine.id, false)} metadata ${metadataText(event.metadata) || '-'}`,
      );
    case 'machine-cordoned': {
      const why = event.reason === undefined ? '' : `: ${event.reason}`;
      const is = event.already ? 'is cordoned already' : 'is cordoned and takes no new units';
      return out(`Machine ${machineLegend(event.machine, false)} ${is}${why}`);
    }
    case 'machine-uncordoned':
      return out(
        `Machine ${machineLegend(event.machine, false)} ${event.left.length === 0 ? 'takes units again' : `stays cordoned by ${event.left.join(' and ')}`}`,
      );
    case 'machine-drained':
      return out(
        `Machine ${machineLegend(event.machine, false)} is drained${event.already ? ' already' : ''}; it stays cordoned until cluster machine uncordon ${machineId(event.machine.id, false).replace(/\.+$/, '')}`,
      );
    case 'machine-removed':
      return out(`Removed machine ${machineLegend(event.machine, false)}`);
    case 'waiting':
      return err(event.message);
    // Told by ui/progress.ts, which knows what was told before.
    case 'pending':
    case 'rollout-waiting':
    case 'summary':
      return [];
    case 'warning':
      return err(`WARNING: ${event.message}`);
  }
}

function unreachable(event: Extract<Event, { kind: 'unreachable' }>): string[] {
  const { message: what, units, hint, passedOver } = event;
  const then = `  try: ${hint ?? 'cluster reconcile once it is back; the request is kept'}`;
  if (passedOver) return [`WARNING: ${what}; nothing new is placed there now`, then];
  return [`Error: ${what}${units.length > 0 ? ` (${units.join(' ')})` : ''}`, then];
}

/** How many machines are spelled out before the rest is only counted. */
const SPELLED = 10;

/** Which rule keeps a unit off each machine. `request`: what becomes of it, since a kept one may surprise somebody later. */
export function refusal(
  unit: string,
  reasons: readonly Exclusion[],
  request: 'planned' | 'kept' | 'withdrawn' = 'planned',
): string[] {
  const lines = [`Error: unit ${unit} cannot be placed on any of ${reasons.length} machines:`];
  for (const { machine, rule, detail } of reasons.slice(0, SPELLED))
    lines.push(`  ${planMachine(machine)}  ${rule}: ${detail}`);
  if (reasons.length > SPELLED)
    lines.push(`  and ${reasons.length - SPELLED} more; cluster plan --json lists all`);
  const later = 'it is placed as soon as a machine fits';
  const wish = {
    planned: later,
    kept: `the request stays, and ${later}; withdraw it with cluster unload ${unit} (start --or-forget keeps none)`,
    withdrawn: 'the request is withdrawn',
  }[request];
  lines.push(`  try: cluster list-machines, or change its [X-Fleet] section; ${wish}`);
  return lines;
}
