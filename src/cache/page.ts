/**
 * A cached page. Whatever can be computed once is computed when it arrives.
 */
import { createHash } from 'node:crypto';
import { brotli } from './compression.ts';

/** What is served. Equal content gives equal bodies on every instance. */
export interface PageBody {
  /** Weak, derived from the content: stable across restarts and instances. */
  readonly etag: string;
  /** HTTP date of the newest row; undefined if there is none. */
  readonly lastModified: string | undefined;
  /** Target of `Link: …; rel="next"`; undefined on the last page. */
  readonly next: string | undefined;
  /** The cursor in `next`. */
  readonly cursor: string | undefined;
  /** The content in its smallest encoding, from which the others are made. */
  readonly br: Buffer;
  /** Size of the unencoded content, in bytes. */
  readonly identityBytes: number;
}

/**
 * A body with its times, in milliseconds of this process's monotonic clock: setting the wall clock makes no page younger.
 * Outside the process they are wall times (Redis) or relative to the sender's clock (workers).
 */
export interface Page {
  readonly kind: 'page';
  readonly body: PageBody;
  readonly fetchedAt: number;
  readonly freshUntil: number;
  /** Generation of its walk. */
  readonly generation: number;
  /** When the last refresh failed; undefined after a success. */
  readonly failedAt: number | undefined;
}

/** Builds a page. The only place, and without a spread, so that all pages share one hidden class in V8. */
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
  /** Time of the newest row, in milliseconds; undefined if there is none. */
  readonly newestMs: number | undefined;
}

export interface RenderedContent extends PageContent {
  /** Identity of the page's first row, or an empty text. */
  readonly first: string;
}

/**
 * Returns the weak ETag of a content (RFC 9110 §8.8.3). Copied, so that the page does not keep the whole digest string alive.
 */
export function tagOf(content: string | Buffer): string {
  const tag = `W/"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
  return Buffer.from(tag, 'latin1').toString('latin1');
}

/** Tags and encodes a content. */
export async function makeBody(content: PageContent, etag = tagOf(content.json)): Promise<PageBody> {
  const identity = Buffer.from(content.json);
  return bodyOf(content, etag, await brotli(identity), identity.length);
}

/** @param br the content in Brotli */
export function bodyOf(
  { next, cursor, newestMs }: Omit<PageContent, 'json'>,
  etag: string,
  br: Buffer,
  identityBytes: number,
): PageBody {
  const lastModified = newestMs === undefined ? undefined : new Date(newestMs).toUTCString();
  // No spread: V8 would give every body its own hidden class.
  return { etag, lastModified, next, cursor, br, identityBytes };
}
