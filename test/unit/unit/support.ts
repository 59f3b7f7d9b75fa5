import { expect } from 'vitest';
import { ClusterError } from '../../../src/lib/error.ts';

/** The ClusterError that `run` throws. */
export function refusal(run: () => unknown): ClusterError {
  try {
    run();
  } catch (error) {
    if (error instanceof ClusterError) {
      expect(error.message).not.toContain('\n');
      return error;
    }
    throw error;
  }
  throw new Error('nothing was thrown');
}
