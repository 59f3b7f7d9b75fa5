/** Something that HAProxy's configuration cannot hold: the object that has it is left out. */
export class Unservable extends Error {}

/**
 * One word of the configuration that stands for exactly this text. The only place where text from the registry becomes
 * configuration. @throws Unservable for control characters, which no line can hold.
 */
export function quote(text: string): string {
  refuseControl(text);
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * Text as an argument between the brackets of a sample expression; the whole expression must go through `quote` then.
 * There only quotes and backslashes are special.
 */
export function argument(text: string): string {
  return quote(text);
}

/** The first value of a header, commas and all, as one word of an expression. */
export function header(side: 'req' | 'res', name: string): string {
  return fetch(`${side}.fhdr`, name, ',1');
}

/** How often a request has a header, as one word of an expression. */
export function headerCount(name: string): string {
  return fetch('req.fhdr_cnt', name, '');
}

function fetch(what: string, name: string, more: string): string {
  return /^[A-Za-z0-9-]+$/.test(name)
    ? `${what}(${name}${more})`
    : quote(`${what}(${argument(name)}${more})`);
}

/** Text inside a log-format string, which must go through `quote` then. */
export function literal(text: string): string {
  refuseControl(text);
  return text.replaceAll('%', '%%');
}

/** A key of a map file: one that a blank or an odd character cuts short can never be looked up either. */
export function isMapKey(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && !text.startsWith('#');
}

function refuseControl(text: string): void {
  const found = /\p{Cc}/u.exec(text);
  if (found === null) return;
  const code = found[0].charCodeAt(0).toString(16).padStart(4, '0');
  throw new Unservable(`has the control character U+${code}, which HAProxy's configuration cannot hold`);
}
