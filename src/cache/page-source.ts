/**
 * The seam between the cache and the code that serves its pages. Implemented by the page cache and by a worker's copies of
 * it.
 */
import type { PageQuery } from '../model/page-query.ts';
import type { Payer, Urgency } from '../quota/demand.ts';
import type { Page } from './page.ts';

/** Source of pages. Every implementation passes `test/conformance/page-source.ts`. */
export interface PageSource {
  /**
   * Returns the cached page on a hit, else undefined. Never waits and makes no call.
   *
   * @throws Problem for a remembered refusal, where refusals are remembered
   */
  hit(query: PageQuery, maxAgeSeconds?: number): Lookup | undefined;

  /**
   * Returns the page, fetching it on a miss; concurrent misses coalesce into one call. Serves a stale page at once and
   * refreshes it in the background.
   *
   * @throws Problem if there is no page to serve, or the signal's reason if the caller disconnects first
   */
  get(query: PageQuery, ask: Ask): Promise<Lookup>;

  /** Returns the cached page at any age. Makes no call and leaves the cache unchanged. */
  peek(query: PageQuery): Page | undefined;

  /** Fetches a page ahead of demand. Resolves with undefined on failure or without quota; never rejects. */
  prefetch(query: PageQuery, payer: Payer): Promise<Page | undefined>;
}

/** Who asks for a page, and how. */
export interface Ask extends Payer {
  /**
   * Priority of the call; default `interactive`. With `bulk`, a walk costs the fewest calls: its first page is fresh, and
   * later pages are served at any age while an unchanged first page confirms them.
   */
  readonly urgency?: Urgency;
  /** Ends this caller's wait and no other's. */
  readonly signal?: AbortSignal;
  /** Oldest acceptable age. Forces a revalidation at most once per key in `minFreshSeconds`. */
  readonly maxAgeSeconds?: number | undefined;
}

/** A page, and how the cache found it. */
export interface Lookup {
  readonly page: Page;
  readonly outcome: Outcome;
}

/** What the cache did, in the terms of RFC 9211. Whether a hit is stale, and why, is on the page. */
export type Outcome =
  | {
      readonly kind: 'hit';
      /** Whether the page came from the pages that instances share, not from memory. */
      readonly shared: boolean;
    }
  | {
      readonly kind: 'forwarded';
      readonly why: ForwardReason;
      /** Whether the call was made for another caller of the same page. */
      readonly collapsed: boolean;
      readonly stored: boolean;
    };

/** Why a call was made: nothing cached, a stale page, or a request that refused the cached page (RFC 9211 §2.2). */
export type ForwardReason = 'uri-miss' | 'stale' | 'request';

/** Shared constants, so that a hit allocates only its lookup. */
export const hitInMemory: Outcome = { kind: 'hit', shared: false };
export const hitInShared: Outcome = { kind: 'hit', shared: true };
