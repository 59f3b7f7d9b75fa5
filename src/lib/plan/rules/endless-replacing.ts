import { replacedAt } from './replaces.ts';
import { candidatesByAsking, type Rule } from './rule.ts';

/** After many rounds in which units pushed each other away, no unit comes where it would have to replace another. */
export const endlessReplacing: Rule = {
  name: 'replaces',
  newcomersOnly: true,

  candidates(state, unit) {
    if (state.mayReplace || unit.wants.replaces.length === 0) return null;
    return candidatesByAsking(this, state, unit);
  },

  why(state, unit, rank) {
    if (state.mayReplace) return null;
    const replaced = replacedAt(state, unit, rank);
    if (replaced.length === 0) return null;
    const names = replaced.map((other) => other.name).sort();
    return `replacing ${names.join(', ')} here would never come to an end`;
  },
};
