/**
 * What to do about a question, by what is held.
 */
import type { PageQuery } from '../model/page-query.ts';
import type { Demand } from '../quota/demand.ts';
import type { Held } from './fetched.ts';
import { type AgeLimits, isGone, mustRevalidate } from './freshness.ts';
import type { Page } from './page.ts';
import type { Ask, ForwardReason } from './page-source.ts';
import { isFailure, type Refusal, type Refusals } from './refusals.ts';

/** How a page is looked up, also for a view of it. */
export interface LookupAsk extends Ask {
  /** A stale page will do; true where nothing is said. */
  readonly mayBeStale?: boolean;
  /** All who want the view want its source, too. */
  readonly onBehalfOf?: Demand;
}

export type LookupDecision =
  | { readonly kind: 'hit'; readonly page: Page }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** `stale` is answered at once, and fetched behind it; without it the caller waits. */
  | { readonly kind: 'miss'; readonly why: ForwardReason; readonly stale: Page | undefined };

interface Situation {
  readonly held: Held | undefined;
  /** Whether the time is not over for which it is held. */
  readonly isInTime: boolean;
  /** The present one of the walk. */
  readonly generation: number;
  /** Monotonic. */
  readonly nowMs: number;
  readonly limits: AgeLimits;
  readonly refusals: Refusals;
}

/** Whether this is a later page of an export, whose cursors no caller has made up. */
export const isWalking = ({ kind }: PageQuery, { urgency }: Ask) => urgency === 'bulk' && kind === 'next';

export function decide(query: PageQuery, ask: LookupAsk, { held, refusals, ...situation }: Situation): LookupDecision {
  if (held?.kind === 'page') return decideOnPage(query, ask, held, situation);
  // A walk waits longer and longer between its tries, and retries every failure.
  const isRefused =
    held !== undefined &&
    situation.isInTime &&
    !refusals.mayHavePassed(held) &&
    !(isWalking(query, ask) && isFailure(held.code));
  return isRefused ? { kind: 'refused', refusal: held } : { kind: 'miss', why: 'uri-miss', stale: undefined };
}

function decideOnPage(
  query: PageQuery,
  ask: LookupAsk,
  page: Page,
  { isInTime, generation, nowMs, limits }: Omit<Situation, 'held' | 'refusals'>,
): LookupDecision {
  const { maxAgeSeconds, mayBeStale = true, urgency } = ask;
  const isUnwanted = mustRevalidate(page, generation, maxAgeSeconds, nowMs, limits);
  if (isInTime && !isUnwanted) return { kind: 'hit', page };
  // Later pages, which an unchanged first page has confirmed, are taken however old.
  if (isWalking(query, ask) && !mustRevalidate(page, generation, undefined, nowMs, limits))
    return { kind: 'hit', page };
  const why = isUnwanted && !isGone(page, nowMs, limits) ? 'request' : 'stale';
  return { kind: 'miss', why, stale: mayBeStale && urgency !== 'bulk' && !isUnwanted ? page : undefined };
}

/** Which pages of the second level will do. A walk begins with a first page that is fresh. */
export function wantedOf({ kind }: PageQuery, { urgency, maxAgeSeconds, mayBeStale = true }: LookupAsk) {
  return { maxAgeSeconds, mayBeStale: mayBeStale && !(urgency === 'bulk' && kind === 'first') };
}
