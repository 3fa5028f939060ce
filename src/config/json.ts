/**
 * JSON with the place of a mistake. Messages never repeat the text, which may hold secrets, as the errors of JSON.parse do.
 */
import {
  createScanner,
  findNodeAtLocation,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
  visit,
} from 'jsonc-parser';

/** The value, or what is wrong with the text. */
export type Parsed = { readonly value: unknown } | { readonly fault: string };

export function parseOrFault(text: string): Parsed {
  if (text.trim() === '') return { fault: 'is empty' };
  // What UTF-16 looks like when it is read as UTF-8 (RFC 4627 §3).
  if (text[0] === '\0' || text[1] === '\0') return { fault: 'is not UTF-8' };
  if (isTooDeep(text)) return { fault: `is nested more than ${maxDepth} deep` };
  try {
    return { value: JSON.parse(text) };
  } catch {
    const errors: ParseError[] = [];
    parseTree(text, errors, { disallowComments: true });
    const [first] = errors;
    // The library takes some texts that JSON does not allow, e.g. a tab inside a text.
    if (!first) return { fault: 'is not JSON' };
    const why = faults[printParseErrorCode(first.error)] ?? 'this is not allowed here';
    return { fault: `is not JSON: line ${lineAt(text, first.offset)}, column ${columnAt(text, first.offset)}: ${why}` };
  }
}

/** Settings are nested 4 deep. */
const maxDepth = 32;

/** Parsers and validators are recursive: many thousand levels would exhaust the stack. Wrong brackets never make it less deep. */
function isTooDeep(text: string): boolean {
  const scanner = createScanner(text, true);
  const open: string[] = [];
  while (open.length <= maxDepth) {
    scanner.scan();
    const [start, length] = [scanner.getTokenOffset(), scanner.getTokenLength()];
    if (length === 0) return false;
    const token = length === 1 ? text[start] : '';
    if (token === '{' || token === '[') open.push(token === '{' ? '}' : ']');
    else if (token === open.at(-1)) open.pop();
  }
  return true;
}

/** What is wrong, by the library's names of errors. */
const faults: Readonly<Record<string, string>> = {
  InvalidSymbol: 'a name or a text needs double quotes; other values are numbers, true, false and null',
  InvalidNumberFormat: 'this is not a number',
  PropertyNameExpected: 'a name in double quotes is missing, or the comma before is one too many',
  ValueExpected: 'a value is missing, or the comma before is one too many',
  ColonExpected: 'a colon is missing before this',
  CommaExpected: 'a comma is missing before this',
  CloseBraceExpected: 'a } is missing',
  CloseBracketExpected: 'a ] is missing',
  EndOfFileExpected: 'the text goes on after its end',
  InvalidCommentToken: 'comments are not allowed',
  UnexpectedEndOfComment: 'comments are not allowed',
  UnexpectedEndOfString: 'a text that begins here has no closing quote on its line',
  UnexpectedEndOfNumber: 'this is not a number',
  InvalidUnicode: 'a text that begins here has a bad \\u escape',
  InvalidEscapeCharacter: 'a text that begins here has a bad \\ escape',
  InvalidCharacter: 'a text that begins here has a control character; write it as an escape',
};

/** The path of every name that an object has twice, of which the last one would count silently. */
export function repeatedNames(text: string): readonly { readonly path: readonly string[]; readonly line: number }[] {
  const found: { path: string[]; line: number }[] = [];
  const objects: Set<string>[] = [];
  visit(text, {
    onObjectBegin: () => void objects.push(new Set()),
    onObjectEnd: () => void objects.pop(),
    onObjectProperty: (name, _offset, _length, line, _column, pathSupplier) => {
      const names = objects.at(-1);
      if (names?.has(name)) found.push({ path: [...pathSupplier().map(String), name], line: line + 1 });
      names?.add(name);
    },
  });
  return found;
}

/** Returns the line of a named value, or of the nearest one around it that the text has. Undefined if it has none of them. */
export function linesOf(text: string): (path: readonly string[]) => number | undefined {
  let root: Node | undefined;
  return (path) => {
    root ??= parseTree(text);
    return root && lineOf(text, root, path);
  };
}

function lineOf(text: string, root: Node, path: readonly string[]): number | undefined {
  let node: Node | undefined;
  for (let [around, depth] = [root as Node | undefined, 0]; depth < path.length; depth++) {
    const name = path[depth] ?? '';
    around = around && findNodeAtLocation(around, [around.type === 'array' ? Number(name) : name]);
    if (!around) break;
    node = around;
  }
  return node && lineAt(text, (node.parent?.type === 'property' ? node.parent : node).offset);
}

const lineAt = (text: string, offset: number) => text.slice(0, offset).split('\n').length;
const columnAt = (text: string, offset: number) => offset - text.lastIndexOf('\n', offset - 1);
