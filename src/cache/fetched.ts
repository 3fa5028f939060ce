/**
 * What a fetch begins with, and what it comes to.
 */
import type { PageQuery } from '../model/page-query.ts';
import type { PageKey } from './keys.ts';
import type { Page } from './page.ts';
import type { Refusal } from './refusals.ts';

export type Held = Page | Refusal;

/** A question that what is held does not answer. */
export interface Miss {
  readonly query: PageQuery;
  readonly key: PageKey;
  readonly held: Held | undefined;
  readonly maxAgeSeconds: number | undefined;
  /** A stale page of the second level will do. */
  readonly mayBeStale: boolean;
}

/**
 * Where a page came from: this call; the call of somebody else that it waited for; the second level; or what was held, because the
 * upstream had no better one.
 */
export type Origin = 'call' | 'other-call' | 'second-level' | 'held';

/** What a fetch came to. Either is held for `forMs` milliseconds. */
export type Fetched = { readonly forMs: number } & (
  | { readonly held: Page; readonly origin: Origin }
  | { readonly held: Refusal; readonly origin?: undefined }
);
