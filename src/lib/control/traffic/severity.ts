import { ClusterError, EXIT } from '../../error.ts';
import { type GatewaySettings, gatewaySettingsKey } from '../../registry/index.ts';
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

/** What gateways log where nobody has said anything. */
const STANDARD: Severity = 'info';

/** Tells every running gateway, and those to come, how much to log. @throws `bad-severity`. */
export async function setSeverity(session: Session, word: string | undefined): Promise<void> {
  const severity = LEVELS[(word ?? '').toLowerCase()];
  if (severity === undefined)
    throw new ClusterError('bad-severity', `not a valid logrus Level: ${JSON.stringify(word ?? '')}`, {
      hint: 'debug, info, warning or error',
    });
  const store = await session.store();
  const key = gatewaySettingsKey(session.config.prefix);
  const now = await store.get(key);
  const settings: GatewaySettings = { v: 1, severity };
  const done = await store.commit({
    compare: [{ key, revision: now?.revision ?? 0 }],
    writes: [{ put: key, value: JSON.stringify(settings) }],
  });
  if (done === null)
    throw new ClusterError('changed-meanwhile', 'somebody else changed the severity at the same moment', {
      key,
      hint: 'nothing was written; look again and repeat the command',
      exit: EXIT.conflict,
    });
}

export async function getSeverity(session: Session): Promise<Severity> {
  const entry = await (await session.store()).get(gatewaySettingsKey(session.config.prefix));
  try {
    const { severity } = JSON.parse(entry?.value ?? '{}') as Partial<GatewaySettings>;
    return LEVELS[severity ?? ''] ?? STANDARD;
  } catch {
    return STANDARD;
  }
}
