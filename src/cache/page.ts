/**
 * A page as it is held: everything that can be made once, when it arrives.
 */
import { createHash } from 'node:crypto';
import { brotli } from './compression.ts';

/** What is answered. Two instances that hold the same content hold equal bodies. */
export interface PageBody {
  /** Weak, of the content: it survives a restart and is equal on every instance. */
  readonly etag: string;
  /** HTTP date of the newest send; undefined when there is none. */
  readonly lastModified: string | undefined;
  /** Target of `Link: …; rel="next"`; undefined on the last page. */
  readonly next: string | undefined;
  /** The cursor in `next`. */
  readonly cursor: string | undefined;
  /** The content, in the smallest encoding. The others are made out of it. */
  readonly br: Buffer;
  /** Bytes of the content when it is not encoded. */
  readonly identityBytes: number;
}

/**
 * A body with its times, all in milliseconds of this process's monotonic clock, so that no wall clock that is set makes a page
 * younger. Where a page leaves the process, they go as wall times (Redis) or as of the sender's clock (workers).
 */
export interface Page {
  readonly kind: 'page';
  readonly body: PageBody;
  readonly fetchedAt: number;
  readonly freshUntil: number;
  /** Which generation of its walk it belongs to. */
  readonly generation: number;
  /** When the last try to refresh it failed; undefined when it succeeded. */
  readonly failedAt: number | undefined;
}

/** Made here alone, without a spread, so that all pages share one hidden class in V8. */
export function pageOf(
  body: PageBody,
  { fetchedAt, freshUntil, generation, failedAt }: Omit<Page, 'kind' | 'body'>,
): Page {
  return { kind: 'page', body, fetchedAt, freshUntil, generation, failedAt };
}

export interface PageContent {
  readonly json: string;
  readonly next: string | undefined;
  readonly cursor: string | undefined;
  /** Milliseconds of the newest send; undefined when there is none. */
  readonly newestMs: number | undefined;
}

export interface RenderedContent extends PageContent {
  /** Identity of the page's first row, or an empty text. */
  readonly first: string;
}

/** The weak tag of a content (RFC 9110 §8.8.3). In one piece: it is held with the page, what it was cut out of is not. */
export function tagOf(json: string): string {
  const tag = `W/"${createHash('sha256').update(json).digest('base64url').slice(0, 22)}"`;
  return Buffer.from(tag, 'latin1').toString('latin1');
}

/** Tags and encodes a content. */
export async function makeBody(content: PageContent, etag = tagOf(content.json)): Promise<PageBody> {
  const identity = Buffer.from(content.json);
  return bodyOf(content, etag, await brotli(identity), identity.length);
}

/** @param br the content as it is held */
export function bodyOf(
  { next, cursor, newestMs }: Omit<PageContent, 'json'>,
  etag: string,
  br: Buffer,
  identityBytes: number,
): PageBody {
  const lastModified = newestMs === undefined ? undefined : new Date(newestMs).toUTCString();
  // Written out: with a spread in it, V8 would give every body another hidden class.
  return { etag, lastModified, next, cursor, br, identityBytes };
}
