import type { HollowMachine } from './machine.ts';

/** One command that a hollow machine is to run. */
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
  /** Serves D-Bus on the rest of the channel (systemd-stdio-bridge). */
  readonly bridge: () => void;
}
