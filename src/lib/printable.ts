/**
 * What a terminal, or a reader of our journal, could take for something else than text: control characters, line
 * separators, and the marks that turn the direction of writing around.
 */
const HOSTILE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** `\n`, `\x1b` or `\u202e`. */
function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return NAMED[character] ?? (code > 0xff ? `\\u${hex(code, 4)}` : `\\x${hex(code, 2)}`);
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');

/** The text on one line, harmless: what a terminal would act on is shown as `\x1b`, a line break as `\n`. */
export function printable(text: string): string {
  return text.replace(HOSTILE, escaped);
}

/** The same for text of several lines: line ends and tabs stay. */
export function printableLines(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(HOSTILE, (found) => (found === '\n' || found === '\t' ? found : escaped(found)));
}

/** Escapes in a JSON document what JSON itself leaves raw, such as C1 control characters: its values stay the same. */
export function printableJson(json: string): string {
  return json.replace(HOSTILE, (found) =>
    found === '\n' || found === '\t' ? found : `\\u${hex(found.charCodeAt(0), 4)}`,
  );
}

/** Colours and their ends, as chalk writes them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const COLOUR = /(\u001b\[(?:3[0-79]|9[0-7]|[12]|22)m)/;

/** `printableLines`, but colours stay: for text on its way to a terminal that shows them. */
export function printableInColour(text: string): string {
  return text
    .split(COLOUR)
    .map((part, at) => (at % 2 === 1 ? part : printableLines(part)))
    .join('');
}
