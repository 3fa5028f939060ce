/**
 * Hands node:http a header block that is ready. With `writeHead`, node:http checks every name and every value of every
 * response, which is a quarter of the time of a hit. No document promises the property that this sets: `chooseWriter` probes it.
 */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { fieldsOf, inOnePiece } from './header-block.ts';
import { contentOf, type PreparedResponse } from './prepared-response.ts';
import type { ResponseWriter } from './response-writer.ts';

/** Where node:http keeps the header block that it is about to send. */
type WithHeader = ServerResponse & { _header?: string | null };

/** The lines that node:http adds: date and connection. */
const nodesLines = /(Date: [^\r]+\r\nConnection: keep-alive\r\n(?:Keep-Alive: [^\r]+\r\n)?)\r\n$/;

/**
 * Once a second it has node:http write a header, and takes over the lines that node:http adds (`Date`, `Connection`, `Keep-Alive`):
 * other responses of that second get the same. Where node:http would add others, as on a connection that closes, it always asks.
 *
 * One for every server, since those lines are the server's.
 */
export class FastWriter implements ResponseWriter {
  #nodesLines = '';
  #second = 0;
  /** Status line and lines of node:http of this second, by status. */
  readonly #beginnings = new Map<number, string>();

  write(res: ServerResponse, ready: PreparedResponse, lines: string): void {
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
    const header = `${this.#beginning(status)}${lines}`;
    const isOnePiece = front > 0 && !isHead;
    res.statusCode = status;
    if (isOnePiece && typeof rest === 'string') {
      (res as WithHeader)._header = `${header}${rest}`;
      res.end();
    } else {
      (res as WithHeader)._header = isOnePiece ? header : `${header}${ready.lines}\r\n`;
      res.end(isHead ? undefined : rest);
    }
  }

  /** Takes node:http's lines out of a header that it has made. Returns false where the next header will have others. */
  #learn(res: ServerResponse, second: number): boolean {
    const [, own] = nodesLines.exec((res as WithHeader)._header ?? '') ?? [];
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
