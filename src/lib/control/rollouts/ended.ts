/** How a step ended: well, or why not, with the last lines of the unit. */
export type Ended =
  | { readonly ok: true }
  | { readonly ok: false; readonly why: string; readonly journal: readonly string[] };
