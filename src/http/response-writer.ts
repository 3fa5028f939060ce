/**
 * Writes whole responses. Every implementation writes the same bytes; `test/conformance/response-writer.ts` checks it.
 */
import type { ServerResponse } from 'node:http';
import { fieldsOf } from './header-block.ts';
import { contentOf, type PreparedResponse } from './prepared-response.ts';

export interface ResponseWriter {
  /**
   * Writes a response and ends it. Omits the content for HEAD.
   *
   * @param lines header lines before those of `ready`, from `headerLines` or equally safe
   */
  write(res: ServerResponse, ready: PreparedResponse, lines: string): void;
}

/** Writes with node:http's documented API. */
export class PlainWriter implements ResponseWriter {
  write(res: ServerResponse, ready: PreparedResponse, lines: string): void {
    res.writeHead(ready.status, fieldsOf(`${lines}${ready.lines}`));
    res.end(res.req.method === 'HEAD' ? undefined : contentOf(ready));
  }
}
