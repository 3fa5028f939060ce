/**
 * Writes whole responses. Every implementation writes the same bytes; `test/conformance/response-writer.ts` holds them to it.
 */
import type { ServerResponse } from 'node:http';
import { fieldsOf } from './header-block.ts';
import { contentOf, type PreparedResponse } from './prepared-response.ts';

export interface ResponseWriter {
  /**
   * Writes a response and ends it; to HEAD, without its content.
   *
   * @param lines what belongs into the header ahead of the lines of `ready`, made with `headerLines` or of parts that are clean
   */
  write(res: ServerResponse, ready: PreparedResponse, lines: string): void;
}

/** Writes as node:http documents it. */
export class PlainWriter implements ResponseWriter {
  write(res: ServerResponse, ready: PreparedResponse, lines: string): void {
    res.writeHead(ready.status, fieldsOf(`${lines}${ready.lines}`));
    res.end(res.req.method === 'HEAD' ? undefined : contentOf(ready));
  }
}
