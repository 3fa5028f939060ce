/**
 * Passes node:http a prepared header block. `writeHead` validates every name and value of every response, a quarter of the time
 * of a hit. This sets an undocumented property, which `chooseWriter` probes.
 */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { fieldsOf, inOnePiece } from './header-block.ts';
import { contentOf, type PreparedResponse } from './prepared-response.ts';
import type { ResponseWriter } from './response-writer.ts';

/** Undocumented: the header block that node:http is about to send. */
type WithHeader = ServerResponse & { _header?: string | null };

/** Lines added by node:http: date and connection. */
const nodesLines = /(Date: [^\r]+\r\nConnection: keep-alive\r\n(?:Keep-Alive: [^\r]+\r\n)?)\r\n$/;

/**
 * Lets node:http write one header per second and reuses the lines it adds (`Date`, `Connection`, `Keep-Alive`) for other responses
 * of that second. Lets node:http write every header that gets other lines, as on a closing connection.
 *
 * Make one for each server, since those lines depend on the server.
 */
export class FastWriter implements ResponseWriter {
  #nodesLines = '';
  #second = 0;
  /** Status line and node:http's lines of this second, by status. */
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

  /** Extracts node:http's lines from a header it made. Returns false if they are not reusable. */
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
