import { ClusterError } from '../../../src/lib/error.ts';
import { planInventory } from '../../../src/lib/plan/index.ts';

export const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
export const machines = [{ id: 'B', metadata: { disk: 'ssd' } }, { id: 'A' }];
export const unit = (name: string, fleet = '', rest: Record<string, unknown> = {}) => ({
  name,
  file: fleet === '' ? '' : `[X-Fleet]\n${fleet}\n`,
  desired: 'launched',
  machine: null,
  ...rest,
});

export function failure(inventory: unknown, extra: Parameters<typeof planInventory>[1] = []): ClusterError {
  try {
    planInventory(inventory, extra);
  } catch (error) {
    if (error instanceof ClusterError) return error;
    throw error;
  }
  throw new Error('expected an error');
}
