import { connect } from 'node:net';

/** How long an endpoint may take before the next one is tried beside it. */
const HEAD_START_MS = 100;

/** Which of these addresses (host:port) takes a connection first, the earlier ones with a head start; null where none does. */
export function firstToAnswer(addresses: readonly string[], timeoutMs: number): Promise<number | null> {
  return new Promise((resolve) => {
    const stops: (() => void)[] = [];
    let left = addresses.length;
    const done = (index: number | null): void => {
      for (const stop of stops) stop();
      resolve(index);
    };
    const timer = setTimeout(() => done(null), timeoutMs);
    stops.push(() => clearTimeout(timer));
    const waiting: (() => void)[] = [];
    const next = (): void => waiting.shift()?.();
    for (const [index, address] of addresses.entries()) {
      const dial = (): void => {
        clearTimeout(start);
        const colon = address.lastIndexOf(':');
        const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
        const socket = connect({ host, port: Number(address.slice(colon + 1)) });
        stops.push(() => socket.destroy());
        socket.on('connect', () => done(index));
        socket.on('error', () => {
          if (--left === 0) done(null);
          else next();
        });
      };
      const start = setTimeout(() => {
        waiting.splice(waiting.indexOf(dial), 1);
        dial();
      }, index * HEAD_START_MS);
      stops.push(() => clearTimeout(start));
      waiting.push(dial);
    }
    const first = waiting.shift();
    first?.();
  });
}

/** Which of these tries resolves to true first, the earlier ones with a head start; null when none does. */
export function firstToSucceed(tries: readonly (() => Promise<boolean>)[]): Promise<number | null> {
  return new Promise((resolve) => {
    let left = tries.length;
    const timers: NodeJS.Timeout[] = [];
    const done = (index: number | null): void => {
      for (const timer of timers) clearTimeout(timer);
      resolve(index);
    };
    for (const [index, attempt] of tries.entries()) {
      const run = async (): Promise<void> => {
        const succeeded = await attempt().catch(() => false);
        if (succeeded) done(index);
        else if (--left === 0) done(null);
      };
      timers.push(setTimeout(() => void run(), index * HEAD_START_MS));
    }
  });
}
