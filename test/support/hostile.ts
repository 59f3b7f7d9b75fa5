/** What somebody else may have written: a window title, colours, line breaks, a C1 sequence, turned directions. */
export const HOSTILE =
  'x\u001b]0;owned\u0007\u001b[31m\r\nforged\t\u009b2J\u0085\u202e\u2066\u2028\u061c\u007fy';

/** A raw character that a terminal acts on, other than a line end or a tab. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
export const RAW = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
