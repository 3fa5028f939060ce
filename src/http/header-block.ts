/**
 * Header fields as text, one line per field, so that lines common to many responses are built and validated once.
 */
import { validateHeaderName, validateHeaderValue } from 'node:http';

/**
 * Formats fields as lines of a header block.
 *
 * @param fields alternating names and values
 * @throws TypeError for an invalid name or value, which could inject another line
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

/** Splits lines into alternating names and values, as `writeHead` takes them. */
export function fieldsOf(lines: string): string[] {
  return lines
    .split('\r\n')
    .slice(0, -1)
    .flatMap((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]);
}

/** Flattens a concatenated text now: V8 would do so at every write. */
export const inOnePiece = (text: string) => Buffer.from(text, 'latin1').toString('latin1');
