/**
 * How a machine is reached: configuration, trust, logins, and streams over ssh2 or the system's OpenSSH client. It
 * must not know systemd or units.
 */
import type { BaseAgent, IdentityCallback, ParsedKey, SignCallback, SigningRequestOptions } from 'ssh2';

/** Keys of an agent that are offered at one login, in this order. */
export interface ChosenKeys {
  readonly agent: BaseAgent;
  readonly count: number;
  /** Public halves in wire format. */
  readonly keys: readonly Buffer[];
}

/**
 * Picks from an agent the keys that are named first, then all others unless `only`, without those that were offered
 * already. Null where no agent answers.
 */
export async function chooseKeys(
  socket: string,
  named: readonly Buffer[],
  only: boolean,
  isOffered: (key: Buffer) => boolean,
): Promise<ChosenKeys | null> {
  const { default: ssh2 } = await import('ssh2');
  const real = ssh2.createAgent(socket);
  const all = await new Promise<ParsedKey[] | null>((resolve) => {
    real.getIdentities((error, keys) => resolve(error || !keys ? null : (keys as ParsedKey[])));
  });
  if (all === null) return null;
  const place = (key: ParsedKey) => {
    const at = named.findIndex((one) => one.equals(key.getPublicSSH()));
    return at === -1 ? named.length : at;
  };
  const chosen = all
    .filter((key) => !isOffered(key.getPublicSSH()) && (!only || place(key) < named.length))
    .sort((a, b) => place(a) - place(b));

  class Chosen extends ssh2.BaseAgent {
    override getIdentities(callback: IdentityCallback<ParsedKey>): void {
      callback(null, chosen);
    }

    override sign(
      key: ParsedKey | Buffer | string,
      data: Buffer,
      options: SigningRequestOptions | SignCallback,
      callback?: SignCallback,
    ): void {
      if (typeof options === 'function') real.sign(key, data, options);
      else real.sign(key, data, options, callback);
    }
  }
  return { agent: new Chosen(), count: chosen.length, keys: chosen.map((key) => key.getPublicSSH()) };
}
