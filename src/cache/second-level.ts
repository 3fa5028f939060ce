/**
 * The seam to what is behind the pages in memory: the pages that instances share.
 *
 * It is not get and set: a page has to be looked for, and the lease to fetch it taken, in one step.
 */

import type { Problem } from '../problems.ts';
import type { Demand } from '../quota/demand.ts';
import type { ArrivedPage } from './generations.ts';
import type { Page, PageBody, RenderedContent } from './page.ts';
import type { PageOfWalk } from './page-of-walk.ts';
import type { Refusal, RefusalCode } from './refusals.ts';

/**
 * It answers within its time limit, and never rejects for a failure that is its own: then the lease is the asker's. It may forget
 * anything, and never returns what is older than asked or of another generation. Every implementation passes
 * `test/conformance/second-level.ts`.
 */
export interface SecondLevel {
  /** Whether the generation of a walk may have changed unnoticed: what is held of it is confirmed before it is answered. */
  isDoubtful(walk: string): boolean;

  /** Learns the present generation of a walk, if it can. */
  confirm(walk: string): Promise<void>;

  /**
   * The page or the refusal, if it is there; else the lease, or what comes of the call of another instance that has it.
   *
   * @param signal ends the wait for another instance's call
   * @throws Problem with which another instance's call has ended, or the signal's reason
   */
  look(page: PageOfWalk, wanted: Wanted, demand: Demand, signal: AbortSignal): Promise<SecondLevelReply>;

  /**
   * Has all instances forget what they hold of a campaign; undefined is all campaigns. Resolves with false where that could not
   * be completed.
   */
  purge(campaign: string | undefined): Promise<boolean>;

  /** Calls `listener` when an instance, this one too, has a campaign forgotten, or all of them (undefined). */
  onPurge(listener: (campaign: string | undefined) => void): void;
}

/** What is good enough. */
export interface Wanted {
  /** Monotonic time in milliseconds: nothing that was fetched before it. */
  readonly notBefore: number;
  /** A stale page will do. */
  readonly mayBeStale: boolean;
  /** What is held: where the same comes back, it is not decoded again. */
  readonly known: PageBody | undefined;
  /** Renders the page again, out of its content. @throws when the content is no page */
  readonly rebuild: (json: string, cursor: string | undefined) => RenderedContent;
}

export type SecondLevelReply =
  /** `waited`: for another instance's call. */
  | { readonly kind: 'page'; readonly page: Page; readonly waited: boolean }
  | Pick<Refusal, 'kind' | 'code' | 'until'>
  /** The call is the asker's to make, and its outcome to be reported. `fallback` is a stale page that is there. */
  | { readonly kind: 'lease'; readonly lease: Lease; readonly fallback: Page | undefined };

/** The right to make the call. Its holder reports the outcome once, with one of these; none of them rejects. */
export interface Lease {
  /** Resolves with the page's generation; undefined where the page was not taken. */
  stored(page: Omit<Page, 'kind' | 'generation' | 'failedAt'>, arrived: ArrivedPage): Promise<number | undefined>;
  /** @param forMs how long it is remembered */
  refused(code: RefusalCode, forMs: number): void;
  failed(problem: Problem | undefined): void;
  /** The call was of no use for this page: an instance that waits for it takes the lease. */
  released(): void;
}

/** Where nobody hears of the outcome. */
export const noLease: Lease = {
  stored: () => Promise.resolve(undefined),
  refused: () => {},
  failed: () => {},
  released: () => {},
};

/** Where this is the only instance: nothing is there, and every lease is granted. */
export const noSecondLevel: SecondLevel = {
  isDoubtful: () => false,
  confirm: () => Promise.resolve(),
  look: () => Promise.resolve({ kind: 'lease', lease: noLease, fallback: undefined }),
  purge: () => Promise.resolve(true),
  onPurge: () => {},
};
