/**
 * The seam between the cache and those who answer with its pages: the page cache itself, and a worker's copies of it.
 */
import type { PageQuery } from '../model/page-query.ts';
import type { Payer, Urgency } from '../quota/demand.ts';
import type { Page } from './page.ts';

/** Where pages come from. Every implementation passes `test/conformance/page-source.ts`. */
export interface PageSource {
  /**
   * The page, if it is held and good enough. Never waits and makes no call.
   *
   * @throws Problem with a remembered refusal, where refusals are remembered
   */
  hit(query: PageQuery, maxAgeSeconds?: number): Lookup | undefined;

  /**
   * The page, from the upstream if need be: one call for all who ask for it at the same time. A stale page is answered at
   * once, and revalidated behind it.
   *
   * @throws Problem when there is no page to answer with, or the signal's reason when the caller leaves first
   */
  get(query: PageQuery, ask: Ask): Promise<Lookup>;

  /** The page that is held, however old. Makes no call, and changes nothing of what is held. */
  peek(query: PageQuery): Page | undefined;

  /** Fetches a page ahead of demand. Resolves with undefined where that fails, or there is no quota for it; never rejects. */
  prefetch(query: PageQuery, payer: Payer): Promise<Page | undefined>;
}

/** A question on somebody's account. */
export interface Ask extends Payer {
  /**
   * How much it matters when; `interactive`, the default, where somebody waits. With `bulk` a walk costs no more calls than it
   * has to: its first page is as fresh as any, and later pages, which an unchanged first page has confirmed, are taken however old.
   */
  readonly urgency?: Urgency;
  /** Ends this caller's wait, and nobody else's. */
  readonly signal?: AbortSignal;
  /** The caller wants nothing older; granted at most once in `minFreshSeconds` a key. */
  readonly maxAgeSeconds?: number | undefined;
}

/** A page, and the cache's part in it. */
export interface Lookup {
  readonly page: Page;
  readonly outcome: Outcome;
}

/** What the cache did, in the terms of RFC 9211. Whether a hit is stale, and why, stands on the page. */
export type Outcome =
  | {
      readonly kind: 'hit';
      /** It was not in memory, but among the pages that instances share. */
      readonly shared: boolean;
    }
  | {
      readonly kind: 'forwarded';
      readonly why: ForwardReason;
      /** The call was made for somebody else who asked for the same page. */
      readonly collapsed: boolean;
      readonly stored: boolean;
    };

/** Nothing was held; what was held was stale; or the request did not want what was held (RFC 9211 §2.2). */
export type ForwardReason = 'uri-miss' | 'stale' | 'request';

/** The outcomes of hits, made once: a hit allocates no more than its lookup. */
export const hitInMemory: Outcome = { kind: 'hit', shared: false };
export const hitInShared: Outcome = { kind: 'hit', shared: true };
