import { openKeyPair } from '../traffic/seal.ts';
import type { OpenKeyPair } from './model.ts';

/** Opens hosts' key pairs with this machine's seal key: 64 hex digits, or null where it has none. */
export function keyPairOpener(sealKey: string | null): OpenKeyPair {
  return (sealed) => {
    if (sealKey === null) return new Error('is sealed, and this gateway has no seal key (--seal-key)');
    try {
      const { cert, key } = openKeyPair(sealed, sealKey);
      return `${cert.trimEnd()}\n${key.trimEnd()}\n`;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  };
}
