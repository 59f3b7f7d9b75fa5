/** Who writes the registry, and by which command. */
export interface Author {
  /** user@computer. */
  readonly who: string;
  /** The command line as it was typed, without secrets; or the name of the process. */
  readonly command: string;
  /** What the person says about the change. */
  readonly message?: string;
}
