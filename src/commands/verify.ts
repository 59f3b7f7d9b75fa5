import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { verifyFiles } from '../lib/control/units/verify.ts';
import { ClusterError, ClusterErrors } from '../lib/error.ts';

export default class Verify extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary =
    'Check unit files: syntax, [X-Fleet] rules and, if a machine is registered, systemd-analyze verify';
  static override strict = false;
  static override examples = ['<%= config.bin %> verify demo@.service'];
  static override args = { file: Args.string({ description: 'unit files' }) };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Verify);
    if (argv.length === 0)
      throw new ClusterError('no-units', 'No unit files given', { hint: 'cluster verify hello.service' });
    const { good, errors } = await this.withSession(flags, (session) =>
      verifyFiles(session, argv as string[]),
    );
    if (flags.json) {
      const bad = errors.map(({ code, message, hint, place }) => ({
        ...place,
        error: { code, message, hint },
      }));
      this.printJson([...good, ...bad]);
      if (errors.length > 0) process.exitCode = errors[0]?.exit;
      return;
    }
    for (const { file, unit, hash, warnings } of good) {
      this.print(`${file}: ok (${hash.slice(0, 7)})\n`);
      for (const warning of warnings) {
        const rest = warning.startsWith(`${unit}:`) ? warning.slice(unit.length) : `: ${warning}`;
        this.tell(`WARNING: ${file}${rest}`);
      }
    }
    if (errors.length > 0) throw new ClusterErrors(errors);
  }
}
