/**
 * Header fields as text, one line a field: what is the same in many responses is put together and checked once.
 */
import { validateHeaderName, validateHeaderValue } from 'node:http';

/**
 * Fields as lines of a header block.
 *
 * @param fields names and values, in turn
 * @throws TypeError for a name or a value that HTTP does not allow: it could end the line and begin another
 */
export function headerLines(...fields: readonly string[]): string {
  let lines = '';
  for (let n = 0; n < fields.length; n += 2) {
    const [name = '', value = ''] = fields.slice(n, n + 2);
    validateHeaderName(name);
    validateHeaderValue(name, value);
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

/** Names and values of lines, in turn, as `writeHead` takes them. */
export function fieldsOf(lines: string): string[] {
  return lines
    .split('\r\n')
    .slice(0, -1)
    .flatMap((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]);
}

/** Joins the parts of a text now: V8 would do so again at every write. */
export const inOnePiece = (text: string) => Buffer.from(text, 'latin1').toString('latin1');
