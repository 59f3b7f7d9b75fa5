import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where Debian packages come from. */
export interface Mirror {
  readonly url: string;
  /** Key ring that signs it, if not Debian's own. */
  readonly keyring?: string;
  /** Its owner marked it `trusted=yes`: signatures are not checked. */
  readonly trusted: boolean;
}

const DEFAULT: Mirror = { url: 'http://deb.debian.org/debian', trusted: false };

/** The mirror that this computer itself uses for that release, so that a local one works; else Debian's. */
export function findMirror(suite: string, etc = '/etc/apt'): Mirror {
  const texts = [join(etc, 'sources.list'), ...list(join(etc, 'sources.list.d'))].map(
    (file) => [file, read(file)] as const,
  );
  for (const [file, text] of texts) {
    const found = file.endsWith('.sources') ? fromStanzas(text, suite) : fromLines(text, suite);
    if (found !== undefined) return found;
  }
  return DEFAULT;
}

function fromStanzas(text: string, suite: string): Mirror | undefined {
  const clean = text.replace(/^#.*\n?/gm, '');
  for (const stanza of clean.split(/\n\s*\n/)) {
    const field = (name: string): string =>
      new RegExp(`^${name}:\\s*(.*(?:\\n[ \\t].*)*)`, 'im').exec(stanza)?.[1]?.trim() ?? '';
    const words = (name: string): string[] => field(name).split(/\s+/);
    if (/^no$/i.test(field('Enabled')) || !words('Types').includes('deb')) continue;
    if (!words('Suites').includes(suite) || !words('Components').includes('main')) continue;
    const url = words('URIs').find((uri) => /^https?:/.test(uri));
    if (url !== undefined) return mirror(url, field('Signed-By'), /^yes$/i.test(field('Trusted')));
  }
  return undefined;
}

function fromLines(text: string, suite: string): Mirror | undefined {
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(https?:\S+)\s+(\S+)\s+(.*)$/.exec(line.replace(/#.*/, ''));
    const [, options = '', url = '', found, components = ''] = match ?? [];
    if (found !== suite || !components.split(/\s+/).includes('main')) continue;
    return mirror(url, /signed-by=(\S+)/.exec(options)?.[1] ?? '', /trusted=yes/.test(options));
  }
  return undefined;
}

function mirror(url: string, signedBy: string, trusted: boolean): Mirror {
  const plain = { url: url.replace(/\/+$/, ''), trusted };
  return /^\/\S+$/.test(signedBy) ? { ...plain, keyring: signedBy } : plain;
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => /\.(list|sources)$/.test(name))
      .sort()
      .map((name) => join(dir, name));
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
