import type { HollowMachine } from './machine.ts';

/** One command asked of a hollow machine. */
export interface HollowCall {
  readonly machine: HollowMachine;
  readonly argv: readonly string[];
  /** Whether the command has root's rights: a login as root, or through sudo. */
  readonly root: boolean;
  readonly stdin: () => Promise<Buffer>;
  readonly out: (data: string | Buffer) => void;
  readonly err: (text: string) => void;
  /** Runs when the client goes away before the command's own end. */
  readonly onClose: (then: () => void) => void;
  /** Hands the rest of the channel to the D-Bus side (systemd-stdio-bridge). */
  readonly bridge: () => void;
}
