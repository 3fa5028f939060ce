/**
 * Pages as answers: all that is the same whenever a page is answered is put together once, head and content.
 *
 * A page is held in one encoding. Its answers in that one, and in those that callers ask for besides, are kept as long as
 * there is room for them: those that are in use.
 */
import { LRUCache } from 'lru-cache';
import { type Encoding, gzip, identityOf } from '../cache/compression.ts';
import type { PageBody } from '../cache/page.ts';
import { headerLines } from '../http/header-block.ts';
import { type PreparedResponse, preparedResponse } from '../http/prepared-response.ts';

/** How a page is answered: in an encoding, or with 304 where the caller has it. */
export type Form = Encoding | 'not-modified';

/** Browsers keep the page and revalidate: a 304 costs nothing, and an address list never goes stale unseen. */
const cacheControl = 'private, no-cache';

/** Strings, map slots and list links around an answer, roughly. */
const entryOverheadBytes = 400;

export class PreparedResponses {
  /** Lines of every answer's head. */
  readonly #common: string;
  readonly #ready: LRUCache<string, PreparedResponse>;
  readonly #coming = new Map<string, Promise<PreparedResponse>>();

  constructor(common: string, maxBytes: number) {
    this.#common = common;
    this.#ready = new LRUCache({
      maxSize: Math.max(1, maxBytes),
      sizeCalculation: ({ lines, rest }) => entryOverheadBytes + lines.length + rest.length,
    });
  }

  get bytes(): number {
    return this.#ready.calculatedSize;
  }

  /** The answer, unless the page has to be encoded for it first. */
  held(body: PageBody, form: Form): PreparedResponse | undefined {
    const key = keyOf(body, form);
    const ready = this.#ready.get(key);
    if (ready) return ready;
    if (form === 'not-modified') return this.#make(key, 304, this.#linesOf(body));
    return form === 'br' ? this.#makeEncoded(key, body, form, body.br) : undefined;
  }

  async of(body: PageBody, form: Form): Promise<PreparedResponse> {
    const held = this.held(body, form);
    if (held) return held;
    const key = keyOf(body, form);
    const coming = this.#coming.get(key) ?? this.#encode(key, body, form as Encoding);
    this.#coming.set(key, coming);
    try {
      return await coming;
    } finally {
      this.#coming.delete(key);
    }
  }

  async #encode(key: string, body: PageBody, encoding: Encoding): Promise<PreparedResponse> {
    const identity = await identityOf(body);
    return this.#makeEncoded(key, body, encoding, encoding === 'gzip' ? await gzip(identity) : identity);
  }

  #makeEncoded(key: string, body: PageBody, encoding: Encoding, content: Buffer): PreparedResponse {
    const fields = encoding === 'identity' ? [] : ['Content-Encoding', encoding];
    const lines = headerLines('Content-Type', 'application/json', ...fields);
    return this.#make(key, 200, `${this.#linesOf(body)}${lines}`, content);
  }

  #make(key: string, status: number, lines: string, content?: Buffer): PreparedResponse {
    const ready = preparedResponse(status, lines, content);
    this.#ready.set(key, ready);
    return ready;
  }

  #linesOf({ etag, lastModified, next }: PageBody): string {
    const fields = ['Cache-Control', cacheControl, 'Vary', 'Accept-Encoding', 'ETag', etag];
    if (lastModified !== undefined) fields.push('Last-Modified', lastModified);
    if (next !== undefined) fields.push('Link', `<${next}>; rel="next"`);
    return `${this.#common}${headerLines(...fields)}`;
  }
}

/** Two pages with one tag have one content, which says what their heads say. Most take the encoding that is held. */
const keyOf = ({ etag }: PageBody, form: Form) => (form === 'br' ? etag : `${form} ${etag}`);
