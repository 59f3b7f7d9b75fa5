import { ClusterError } from '../../error.ts';
import type { GatewaySettings } from '../../registry/index.ts';
import type { Session } from '../session.ts';

type Severity = GatewaySettings['severity'];

/** logrus' words, which vctl takes, and ours for them. */
const LEVELS: Readonly<Record<string, Severity>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warning',
  warning: 'warning',
  error: 'error',
  fatal: 'error',
  panic: 'error',
};

/** What gateways log where nothing was set. */
const STANDARD: Severity = 'info';

/** Tells every running gateway, and those to come, how much to log. @throws `bad-severity`. */
export async function setSeverity(session: Session, word: string | undefined): Promise<Severity> {
  const severity = LEVELS[(word ?? '').toLowerCase()];
  if (severity === undefined)
    throw new ClusterError('bad-severity', `not a valid logrus Level: ${JSON.stringify(word ?? '')}`, {
      hint: 'debug, info, warning or error',
    });
  const registry = await session.gatewaySettings();
  await registry.set(await registry.load(), { v: 1, severity });
  return severity;
}

export async function getSeverity(session: Session): Promise<Severity> {
  const { settings } = await (await session.gatewaySettings()).load();
  return settings?.severity ?? STANDARD;
}
