/** What the promise comes to, or `late` where that takes longer. */
export async function within<Value, Late>(
  ms: number,
  promise: Promise<Value>,
  late: Late,
): Promise<Value | Late> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<Late>((resolve) => {
    timer = setTimeout(resolve, ms, late);
  });
  return await Promise.race([promise, patience]).finally(() => clearTimeout(timer));
}
