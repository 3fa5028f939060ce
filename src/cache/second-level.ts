/**
 * The seam to the pages that instances share, behind those in memory.
 *
 * Not get and set: looking a page up and taking the lease to fetch it must be one step.
 */

import type { Problem } from '../problems.ts';
import type { Demand } from '../quota/demand.ts';
import type { ArrivedPage } from './generations.ts';
import type { Page, PageBody, RenderedContent } from './page.ts';
import type { PageOfWalk } from './page-of-walk.ts';
import type { Refusal, RefusalCode } from './refusals.ts';

/**
 * Replies within its time limit and never rejects for its own failures: then the asker gets the lease. May forget anything,
 * but never returns a page older than asked or of another generation. Every implementation passes
 * `test/conformance/second-level.ts`.
 */
export interface SecondLevel {
  /** Whether the walk's generation may have changed unnoticed; cached pages must be confirmed before they are served. */
  isDoubtful(walk: string): boolean;

  /** Learns the current generation of a walk, if possible. */
  confirm(walk: string): Promise<void>;

  /**
   * Returns the page or refusal, else the lease, else the result of another instance's call.
   *
   * @param signal ends the wait for another instance's call
   * @throws Problem with which another instance's call ended, or the signal's reason
   */
  look(page: PageOfWalk, wanted: Wanted, demand: Demand, signal: AbortSignal): Promise<SecondLevelReply>;

  /** Purges a campaign on all instances; undefined purges all campaigns. Resolves with false if the purge is incomplete. */
  purge(campaign: string | undefined): Promise<boolean>;

  /** Calls `listener` when any instance, including this one, purges a campaign, or all of them (undefined). */
  onPurge(listener: (campaign: string | undefined) => void): void;
}

/** Which pages are good enough. */
export interface Wanted {
  /** Earliest acceptable fetch, in monotonic milliseconds. */
  readonly notBefore: number;
  /** Whether a stale page may be served. */
  readonly mayBeStale: boolean;
  /** The cached body, reused if the same content comes back. */
  readonly known: PageBody | undefined;
  /** Renders the page again from its content. @throws when the content is no page */
  readonly rebuild: (json: string, cursor: string | undefined) => RenderedContent;
}

export type SecondLevelReply =
  /** `waited`: whether it waited for another instance's call. */
  | { readonly kind: 'page'; readonly page: Page; readonly waited: boolean }
  | Pick<Refusal, 'kind' | 'code' | 'until'>
  /** The asker makes the call and reports its outcome. `fallback` is a stale page, if there is one. */
  | { readonly kind: 'lease'; readonly lease: Lease; readonly fallback: Page | undefined };

/** The right to make the call. Its holder reports the outcome once, with one of these methods; none rejects. */
export interface Lease {
  /** Resolves with the page's generation; undefined if the page was not stored. */
  stored(page: Omit<Page, 'kind' | 'generation' | 'failedAt'>, arrived: ArrivedPage): Promise<number | undefined>;
  /** @param forMs how long the refusal is remembered */
  refused(code: RefusalCode, forMs: number): void;
  failed(problem: Problem | undefined): void;
  /** The call brought nothing for this page: a waiting instance takes the lease. */
  released(): void;
}

/** A lease that reports to no one. */
export const noLease: Lease = {
  stored: () => Promise.resolve(undefined),
  refused: () => {},
  failed: () => {},
  released: () => {},
};

/** For a single instance: always empty, and grants every lease. */
export const noSecondLevel: SecondLevel = {
  isDoubtful: () => false,
  confirm: () => Promise.resolve(),
  look: () => Promise.resolve({ kind: 'lease', lease: noLease, fallback: undefined }),
  purge: () => Promise.resolve(true),
  onPurge: () => {},
};
