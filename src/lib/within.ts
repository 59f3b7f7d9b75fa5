/** What the promise resolves to, or `late` when it takes longer than `ms`. The promise itself goes on. */
export async function within<Value, Late>(
  ms: number,
  promise: Promise<Value>,
  late: Late,
): Promise<Value | Late> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<Late>((resolve) => {
    timer = setTimeout(resolve, ms, late);
  });
  return await Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}
