/**
 * Static files: read at start, tagged and compressed once at their first request.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { extname } from 'node:path';
import { brotli, type Encoding, gzip } from '../cache/compression.ts';
import { tagOf } from '../cache/page.ts';
import { isCurrent } from '../http/conditional-request.ts';
import { headerLines } from '../http/header-block.ts';
import { chooseEncoding } from '../http/negotiation.ts';
import { contextOf } from '../http/request-context.ts';

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.json': 'application/json',
  '.ts': 'text/plain; charset=utf-8', // No type is registered for TypeScript, and browsers show this one.
  '.txt': 'text/plain; charset=utf-8',
  '.tgz': 'application/gzip',
};

/** Compressed already. */
const asTheyAre: ReadonlySet<string> = new Set(['.tgz']);

const encode: Readonly<Record<Encoding, (text: Buffer) => Promise<Buffer>>> = {
  identity: async (text) => text,
  gzip,
  br: brotli,
};

/** A static file, the same for every caller. */
export class File {
  readonly #text: Buffer;
  readonly #contentType: string;
  readonly #isCompressible: boolean;
  readonly #vary: string;
  #etag: string | undefined;
  readonly #contents: Partial<Record<Encoding, Promise<Buffer>>> = {};

  /**
   * @param extension with its dot
   * @param vary request headers that decide which file or encoding is answered
   */
  constructor(extension: string, text: Buffer, vary = 'Accept-Encoding') {
    this.#contentType = contentTypes[extension] ?? 'text/plain; charset=utf-8';
    this.#isCompressible = !asTheyAre.has(extension);
    this.#text = text;
    this.#vary = vary;
  }

  /** Answers 200 with the file, or 304 if the browser's copy is current. */
  async answer(req: IncomingMessage): Promise<void> {
    const context = contextOf(req);
    this.#etag ??= tagOf(this.#text);
    const fields = ['ETag', this.#etag, 'Cache-Control', 'no-cache', 'Vary', this.#vary];
    if (isCurrent(req.headers, this.#etag, undefined)) {
      context.answer(304, headerLines(...fields));
      return;
    }
    const accepted = req.headers['accept-encoding'] as string | undefined;
    const encoding = this.#isCompressible ? chooseEncoding(accepted) : 'identity';
    this.#contents[encoding] ??= encode[encoding](this.#text);
    const content = await this.#contents[encoding];
    fields.push('Content-Type', this.#contentType);
    if (encoding !== 'identity') fields.push('Content-Encoding', encoding);
    context.answer(200, headerLines(...fields), content);
  }
}

/** Reads the files in a folder that have one of the extensions, by name. */
export function readFolder(folder: URL, extensions: readonly string[]): ReadonlyMap<string, File> {
  const names = readdirSync(folder).filter((name) => extensions.includes(extname(name)));
  return new Map(names.map((name) => [name, new File(extname(name), readFileSync(new URL(name, folder)))]));
}
