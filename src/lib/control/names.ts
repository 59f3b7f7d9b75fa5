import { homedir } from 'node:os';
import { loadConfig } from '../config/index.ts';
import { Session } from './session.ts';

/** What completion offers. Never fails: a completion that prints an error is worse than none. */
export async function knownNames(): Promise<{ units: string[]; machines: string[] }> {
  try {
    const config = await loadConfig({ flags: {}, env: process.env, cwd: process.cwd(), home: homedir() });
    const session = new Session({ config, emit: () => undefined });
    try {
      const state = await session.state();
      return {
        units: [...state.units.keys()].sort(),
        machines: [...state.machines.keys()].map((id) => id.slice(0, 8)).sort(),
      };
    } finally {
      await session.close();
    }
  } catch {
    return { units: [], machines: [] };
  }
}
