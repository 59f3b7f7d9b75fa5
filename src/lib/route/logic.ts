import type { Comparison, Node, Parsed } from './expression.ts';
import { complain, type Language } from './language.ts';

export function compareNumbers(left: number, operator: Comparison, right: number): boolean {
  switch (operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
  }
}

/** Refuses what only our routes allow: `!`, and line breaks where Go would end the expression. */
export function needPlain(language: Language, text: string, { node, brokenAt }: Parsed): void {
  if (brokenAt !== null)
    throw complain(language, text, brokenAt, 'a line break before this; put && at the line end');
  const not = findNot(node);
  if (not !== null) throw complain(language, text, not.at, 'there is no !; turn the comparison round');
}

function findNot(node: Node): Node | null {
  if (node.kind === 'not') return node;
  const parts =
    node.kind === 'and' || node.kind === 'or'
      ? node.parts
      : node.kind === 'compare'
        ? [node.left, node.right]
        : [];
  for (const part of parts) {
    const found = findNot(part);
    if (found !== null) return found;
  }
  return null;
}
