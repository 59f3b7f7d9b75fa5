/**
 * Runs loops side by side until the signal aborts. When one of them fails, the others are told to end and its error is
 * thrown once they have.
 */
export async function together(
  loops: readonly ((signal: AbortSignal) => Promise<void>)[],
  signal: AbortSignal,
): Promise<void> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const errors: unknown[] = [];
  const running = loops.map((loop) =>
    loop(either).catch((error: unknown) => {
      errors.push(error);
      failure.abort();
    }),
  );
  await Promise.all(running);
  if (errors.length > 0) throw errors[0];
}
