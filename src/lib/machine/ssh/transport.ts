import type { Duplex, Readable, Writable } from 'node:stream';
import type { Machine } from '../port.ts';

/** How a command ended: its exit code as a shell gives it, 128 + n for a command that signal n ended. */
export interface CommandEnd {
  readonly code: number;
}

/** A command that runs on the machine. Both outputs must be read for it to end. */
export interface RemoteCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves after both outputs have ended; null when the connection was lost before the exit code came. */
  readonly ended: Promise<CommandEnd | null>;
  /** Asks the command to end where the transport can, and closes its channel. */
  stop(): void;
}

export type StreamPlace = { readonly host: string; readonly port: number } | { readonly path: string };
export type InteractiveStreams = Parameters<Machine['interactive']>[1];

/**
 * One SSH connection that is logged in. Two implementations, ssh2 and the system's OpenSSH client, are held by one
 * contract test. What is not a ChannelRefused or a ClusterError means that the connection is lost.
 */
export interface Transport {
  readonly kind: 'ssh2' | 'openssh';
  /** Runs a command line in the login shell. @throws ChannelRefused when sshd opens no (further) session. */
  run(command: string): Promise<RemoteCommand>;
  /**
   * A stream to where the machine reaches, which is no session. @throws ChannelRefused when sshd forbids it or nothing
   * listens there; OpenSSH's client cannot tell this of a Unix socket, whose stream then ends at once.
   */
  stream(to: StreamPlace): Promise<Duplex>;
  /** A command line, or the login shell, on the caller's streams. @returns the exit code. */
  interactive(command: string | null, streams: InteractiveStreams): Promise<number>;
  /** Resolves when the connection has ended, for whatever reason. */
  readonly gone: Promise<void>;
  close(): void;
}

/** The connection lives, but sshd did not open this channel: MaxSessions, forbidden forwarding, nothing listens there. */
export class ChannelRefused extends Error {}
