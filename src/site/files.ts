/**
 * What a browser is given: files that are read once, when the process starts, and compressed once, when somebody asks.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { chooseEncoding } from '../negotiate.ts';
import { exchangeOf } from '../operations/exchange.ts';
import { makeBody, type PageBody } from '../pages/page.ts';
import { isCurrent } from '../sends/answer.ts';

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.json': 'application/json',
};

/** A text that is the same for everybody. */
export class File {
  readonly #text: string;
  readonly #contentType: string;
  #body: Promise<PageBody> | undefined;

  /** @param extension with its dot */
  constructor(extension: string, text: string) {
    this.#contentType = contentTypes[extension] ?? 'text/plain; charset=utf-8';
    this.#text = text;
  }

  /** Answers 200 with the file, or 304 where the browser has it already. */
  async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.#body ??= makeBody({ json: this.#text, next: undefined, cursor: undefined, newestMs: undefined });
    const { etag, encodings } = await this.#body;
    const headers = [...exchangeOf(req).headers, 'ETag', etag, 'Cache-Control', 'no-cache', 'Vary', 'Accept-Encoding'];
    if (isCurrent(req, etag, undefined)) {
      res.writeHead(304, headers).end();
      return;
    }
    const encoding = chooseEncoding(req.headers['accept-encoding'] as string | undefined);
    const content = encodings[encoding];
    headers.push('Content-Type', this.#contentType, 'Content-Length', String(content.length));
    if (encoding !== 'identity') headers.push('Content-Encoding', encoding);
    res.writeHead(200, headers).end(req.method === 'HEAD' ? undefined : content);
  }
}

/** All files of the given kinds in a folder, by name. */
export function readFolder(folder: URL, extensions: readonly string[]): ReadonlyMap<string, File> {
  const names = readdirSync(folder).filter((name) => extensions.includes(extname(name)));
  return new Map(names.map((name) => [name, new File(extname(name), readFileSync(new URL(name, folder), 'utf8'))]));
}
