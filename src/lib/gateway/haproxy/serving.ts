import type { Note } from '../model.ts';

/** What HAProxy should serve, as data: made from the registry by `translate`, put into effect by the supervisor. */
export interface Serving {
  /**
   * The configuration without its servers: a line `#servers NAME` marks where those of pool NAME go. HAProxy is
   * reloaded when this text or `files` changes, and for nothing else.
   */
  readonly structure: string;
  /** By HAProxy backend name, then server name; changed at run time. */
  readonly pools: ReadonlyMap<string, ReadonlyMap<string, PoolServer>>;
  /** By file name (relative to the run directory), key -> value; changed at run time. */
  readonly maps: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Certificates and answers, by file name (relative to the run directory). */
  readonly files: ReadonlyMap<string, string>;
  /** Objects that are not served, and why; everything else is. */
  readonly leftOut: readonly Note[];
  /** What HAProxy does differently from what the object says. */
  readonly notes: readonly Note[];
}

/** One server line. */
export interface PoolServer {
  readonly address: string;
  readonly port: number;
  /** 0 to 256. */
  readonly weight: number;
  /** Keywords after the address that never change at run time for one server (`ssl verify none`, `cookie x`). */
  readonly keywords: string;
}
