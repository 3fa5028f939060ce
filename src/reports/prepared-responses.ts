/**
 * Prepares the constant part of a page's response, header lines and content, once.
 *
 * The cache holds a page in one encoding. Prepared responses in that and other requested encodings are kept in an LRU cache of
 * bounded size.
 */
import { LRUCache } from 'lru-cache';
import { type Encoding, gzip, identityOf } from '../cache/compression.ts';
import type { PageBody } from '../cache/page.ts';
import { headerLines } from '../http/header-block.ts';
import { type PreparedResponse, preparedResponse } from '../http/prepared-response.ts';

/** Form of a response: 200 in an encoding, or 304. */
export type Form = Encoding | 'not-modified';

/** Browsers keep the page but revalidate it: a 304 costs nothing, and no stale address list is shown. */
const cacheControl = 'private, no-cache';

/** Rough overhead of an entry: strings, map slots and list links. */
const entryOverheadBytes = 400;

export class PreparedResponses {
  /** Header lines of every response. */
  #common = '';
  #maxBytes = 1;
  #ready = lruOf(1);
  readonly #coming = new Map<string, Promise<PreparedResponse>>();

  constructor(common: string, maxBytes: number) {
    this.reconfigure(common, maxBytes);
  }

  /** Changes the common lines and the bound. Drops all responses: they have the former lines, and are soon prepared again. */
  reconfigure(common: string, maxBytes: number): void {
    this.#common = common;
    this.#maxBytes = maxBytes;
    this.clear();
  }

  /** Drops all responses, also those that are being encoded, which only their callers get: their pages may be purged. */
  clear(): void {
    this.#ready = lruOf(this.#maxBytes);
    this.#coming.clear();
  }

  get bytes(): number {
    return this.#ready.calculatedSize;
  }

  /** Returns the prepared response; undefined if the page must first be encoded. */
  held(body: PageBody, form: Form): PreparedResponse | undefined {
    const key = keyOf(body, form);
    const held = this.#ready.get(key);
    if (held) return held;
    const ready = this.#makeAtOnce(body, form);
    if (ready) this.#ready.set(key, ready);
    return ready;
  }

  async of(body: PageBody, form: Form): Promise<PreparedResponse> {
    const held = this.held(body, form);
    if (held) return held;
    const [key, into] = [keyOf(body, form), this.#ready];
    const coming = this.#coming.get(key) ?? this.once(body, form);
    this.#coming.set(key, coming);
    try {
      const ready = await coming;
      into.set(key, ready);
      return ready;
    } finally {
      this.#coming.delete(key);
    }
  }

  /** Returns the response for a page that is not cached, and keeps nothing of it. */
  async once(body: PageBody, form: Form): Promise<PreparedResponse> {
    return this.#makeAtOnce(body, form) ?? this.#encode(body, form as Encoding);
  }

  #makeAtOnce(body: PageBody, form: Form): PreparedResponse | undefined {
    if (form === 'not-modified') return preparedResponse(304, this.#linesOf(body));
    return form === 'br' ? this.#makeEncoded(body, form, body.br) : undefined;
  }

  async #encode(body: PageBody, encoding: Encoding): Promise<PreparedResponse> {
    const identity = await identityOf(body);
    return this.#makeEncoded(body, encoding, encoding === 'gzip' ? await gzip(identity) : identity);
  }

  #makeEncoded(body: PageBody, encoding: Encoding, content: Buffer): PreparedResponse {
    const fields = encoding === 'identity' ? [] : ['Content-Encoding', encoding];
    const lines = headerLines('Content-Type', 'application/json', ...fields);
    return preparedResponse(200, `${this.#linesOf(body)}${lines}`, content);
  }

  #linesOf({ etag, lastModified, next }: PageBody): string {
    const fields = ['Cache-Control', cacheControl, 'Vary', 'Accept-Encoding', 'ETag', etag];
    if (lastModified !== undefined) fields.push('Last-Modified', lastModified);
    if (next !== undefined) fields.push('Link', `<${next}>; rel="next"`);
    return `${this.#common}${headerLines(...fields)}`;
  }
}

const lruOf = (maxBytes: number) =>
  new LRUCache<string, PreparedResponse>({
    maxSize: Math.max(1, maxBytes),
    sizeCalculation: ({ lines, rest }) => entryOverheadBytes + lines.length + rest.length,
  });

/** Pages with the same tag have the same content and headers. Most requests take the cached encoding, so its key is shortest. */
const keyOf = ({ etag }: PageBody, form: Form) => (form === 'br' ? etag : `${form} ${etag}`);
