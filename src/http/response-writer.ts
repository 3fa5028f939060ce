/**
 * The head of an answer as text, one line a field: what is the same on many answers is put together and checked once.
 */
import { type ServerResponse, STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';

/**
 * Fields as lines of a head.
 *
 * @param fields names and values, in turn
 * @throws TypeError for a name or a value that HTTP does not allow: it could end the line and begin another
 */
export function headLines(...fields: readonly string[]): string {
  let lines = '';
  for (let n = 0; n < fields.length; n += 2) {
    const [name = '', value = ''] = fields.slice(n, n + 2);
    validateHeaderName(name);
    validateHeaderValue(name, value);
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

/** What node:http keeps of a head that it has written. */
type Heading = ServerResponse & { _header?: string | null };

/** An answer but for what is different every time. */
export interface ReadyAnswer {
  readonly status: number;
  /** Lines of its head. */
  readonly lines: string;
  /** What comes behind the other lines: these, the empty line and the content in one piece; or the content alone. */
  readonly rest: string | Buffer;
  /** Where in it the content begins; 0 where it is the content alone. */
  readonly front: number;
}

export function wholeAnswer(status: number, lines: string, content?: Buffer): ReadyAnswer {
  const length = content === undefined ? '' : `Content-Length: ${content.length}\r\n`;
  return { status, lines: `${lines}${length}`, rest: content ?? '', front: 0 };
}

/**
 * Node writes a text of up to 16 KB to a socket in one go. What is short enough to be one with its head is kept as
 * text, one character a byte: for a head and a buffer, Node has a list of pieces to make, which was a twentieth of a hit.
 */
const maxTextLength = 15 * 1024;

/** The same, made to be sent many times. */
export function readyAnswer(status: number, lines: string, content?: Buffer): ReadyAnswer {
  const whole = wholeAnswer(status, lines, content);
  const head = Buffer.from(`${whole.lines}\r\n`, 'latin1');
  const rest = Buffer.allocUnsafeSlow(head.length + whole.rest.length);
  rest.set(head);
  if (content) rest.set(content, head.length);
  return { ...whole, rest: rest.length > maxTextLength ? rest : rest.toString('latin1'), front: head.length };
}

/** A text of many parts is put together whenever it is written, unless that has been done before. */
export const inOnePiece = (text: string) => Buffer.from(text, 'latin1').toString('latin1');

/** Date and connection fields, as node:http writes them. */
const nodesLines = /(Date: [^\r]+\r\nConnection: keep-alive\r\n(?:Keep-Alive: [^\r]+\r\n)?)\r\n$/;

/**
 * Writes answers that are ready. With `writeHead`, node:http checks every name and every value at every answer, which is
 * a quarter of the time that it takes for one. So it writes one in a second; those that follow in the same second get
 * its own lines (`Date`, `Connection`, `Keep-Alive`) beside theirs. Where it would do anything else than with that first
 * one, for a connection that is to close, it is asked.
 *
 * One for every server, since those lines are the server's.
 */
export class AnswerWriter {
  #nodesLines = '';
  #second = 0;
  /** By status, how the answers of this second begin. */
  readonly #beginnings = new Map<number, string>();

  /** @param lines what else belongs into the head, made with `headLines` or out of parts that are known to be clean */
  write(res: ServerResponse, ready: ReadyAnswer, lines: string): void {
    const { status, rest, front } = ready;
    const isHead = res.req.method === 'HEAD';
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#second || !res.shouldKeepAlive) {
      res.writeHead(status, fieldsOf(`${lines}${ready.lines}`));
      if (!this.#learn(res, second)) {
        res.end(isHead ? undefined : contentOf(ready));
        return;
      }
    }
    const head = `${this.#beginning(status)}${lines}`;
    const isOnePiece = front > 0 && !isHead;
    res.statusCode = status;
    if (isOnePiece && typeof rest === 'string') {
      (res as Heading)._header = `${head}${rest}`;
      res.end();
    } else {
      (res as Heading)._header = isOnePiece ? head : `${head}${ready.lines}\r\n`;
      res.end(isHead ? undefined : rest);
    }
  }

  /** Learns Node's own lines from a head that it has made. Returns false where the next will have others. */
  #learn(res: ServerResponse, second: number): boolean {
    const [, own] = nodesLines.exec((res as Heading)._header ?? '') ?? [];
    if (own === undefined) return false;
    this.#nodesLines = own;
    this.#second = second;
    this.#beginnings.clear();
    return true;
  }

  #beginning(status: number): string {
    let beginning = this.#beginnings.get(status);
    if (beginning === undefined) {
      beginning = inOnePiece(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${this.#nodesLines}`);
      this.#beginnings.set(status, beginning);
    }
    return beginning;
  }
}

export function contentOf({ rest, front }: ReadyAnswer): Buffer | undefined {
  if (rest.length === front) return undefined;
  return typeof rest === 'string' ? Buffer.from(rest.slice(front), 'latin1') : rest.subarray(front);
}

/** Names and values of lines, in turn. */
export function fieldsOf(lines: string): string[] {
  return lines
    .split('\r\n')
    .slice(0, -1)
    .flatMap((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]);
}
