import { describe, expect, test } from 'vitest';
import { MachinePool } from '../../../src/lib/machine/pool.ts';
import type { Machine } from '../../../src/lib/machine/port.ts';

const options = { timeoutMs: 50, strictHostKeyChecking: 'yes', config: null } as const;
const target = (number: number) => ({ address: `10.0.0.${number}`, port: 22, user: 'root' });

function fake(delay: number, fails: (address: string) => boolean = () => false) {
  const seen = { now: 0, most: 0, made: 0, closed: 0 };
  const connect = async (to: { address: string }) => {
    seen.most = Math.max(seen.most, ++seen.now);
    seen.made++;
    await new Promise((resolve) => setTimeout(resolve, delay));
    seen.now--;
    if (fails(to.address)) throw new Error('dead');
    return { close: () => seen.closed++ } as unknown as Machine;
  };
  return { seen, connect };
}

describe('MachinePool', () => {
  test('makes one connection per machine and a bounded number at a time', async () => {
    const { seen, connect } = fake(5);
    const pool = new MachinePool(options, { starts: 4, connect });
    await Promise.all(Array.from({ length: 40 }, (_, index) => pool.use(target(index % 20))));
    expect(seen).toMatchObject({ made: 20, most: 4 });
    pool.closeAll();
    await Promise.resolve();
    expect(seen.closed).toBe(20);
  });

  test('pays for ten dead machines of thirty once', async () => {
    const { seen, connect } = fake(100, (address) => Number(address.split('.')[3]) < 10);
    const pool = new MachinePool(options, { connect });
    const started = performance.now();
    const use = () => Promise.allSettled(Array.from({ length: 30 }, (_, index) => pool.use(target(index))));
    expect((await use()).filter((one) => one.status === 'rejected')).toHaveLength(10);
    await use();
    expect(performance.now() - started).toBeLessThan(300);
    expect(seen.made).toBe(30);
  });

  test('closes a connection that was still being made', async () => {
    const { seen, connect } = fake(10);
    const pool = new MachinePool(options, { connect });
    const made = pool.use(target(1));
    pool.closeAll();
    await made;
    await Promise.resolve();
    expect(seen.closed).toBeGreaterThan(0);
  });
});
