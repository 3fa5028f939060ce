/**
 * Input and result of a fetch.
 */
import type { PageQuery } from '../model/page-query.ts';
import type { PageKey } from './keys.ts';
import type { Page } from './page.ts';
import type { Refusal } from './refusals.ts';

export type Held = Page | Refusal;

/** A query that the cache cannot answer. */
export interface Miss {
  readonly query: PageQuery;
  readonly key: PageKey;
  readonly held: Held | undefined;
  readonly maxAgeSeconds: number | undefined;
  /** Whether a stale page of the second level may be served. */
  readonly mayBeStale: boolean;
}

/**
 * Where a page came from: this call (`call`), the call of another caller or instance (`other-call`), the second level, or the
 * cached page (`held`), because the upstream had nothing better.
 */
export type Origin = 'call' | 'other-call' | 'second-level' | 'held';

/** Result of a fetch, cached for `forMs` milliseconds. */
export type Fetched = { readonly forMs: number } & (
  | { readonly held: Page; readonly origin: Origin }
  | { readonly held: Refusal; readonly origin?: undefined }
);
