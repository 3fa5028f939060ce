/**
 * Decides whether a lookup is a hit, a remembered refusal or a miss, from what is cached.
 */
import type { PageQuery } from '../model/page-query.ts';
import type { Demand } from '../quota/demand.ts';
import type { Held } from './fetched.ts';
import { type AgeLimits, isGone, mustRevalidate } from './freshness.ts';
import type { Page } from './page.ts';
import type { Ask, ForwardReason } from './page-source.ts';
import { isFailure, type Refusal, type Refusals } from './refusals.ts';

/** Options of one lookup, for a caller or for a view. */
export interface LookupAsk extends Ask {
  /** Whether a stale page may be served. Default true. */
  readonly mayBeStale?: boolean;
  /** The demand of the view that needs this page: its payers share the call. */
  readonly onBehalfOf?: Demand;
}

export type LookupDecision =
  | { readonly kind: 'hit'; readonly page: Page }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** With `stale`, it is served at once and refreshed in the background; without, the caller waits. */
  | { readonly kind: 'miss'; readonly why: ForwardReason; readonly stale: Page | undefined };

interface Situation {
  readonly held: Held | undefined;
  /** Whether the entry's time to live has not expired. */
  readonly isInTime: boolean;
  /** The walk's current generation. */
  readonly generation: number;
  /** Monotonic time. */
  readonly nowMs: number;
  readonly limits: AgeLimits;
  readonly refusals: Refusals;
}

/** Whether an export asks for a later page: its cursors come from Sendgate's links, not from a caller. */
export const isWalking = ({ kind }: PageQuery, { urgency }: Ask) => urgency === 'bulk' && kind === 'next';

export function decide(query: PageQuery, ask: LookupAsk, { held, refusals, ...situation }: Situation): LookupDecision {
  if (held?.kind === 'page') return decideOnPage(query, ask, held, situation);
  // Exports back off between tries, so they retry failures that others remember.
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
  const isUnwanted = mustRevalidate(page, generation, maxAgeSeconds, nowMs, forcedBy(ask, limits));
  if (isInTime && !isUnwanted) return { kind: 'hit', page };
  // Exports take later pages at any age while the generation stands: an unchanged first page confirms them.
  const isConfirmed = isWalking(query, ask) && maxAgeSeconds === undefined;
  if (isConfirmed && !mustRevalidate(page, generation, undefined, nowMs, limits)) return { kind: 'hit', page };
  const why = isUnwanted && !isGone(page, nowMs, limits) ? 'request' : 'stale';
  return { kind: 'miss', why, stale: mayBeStale && urgency !== 'bulk' && !isUnwanted ? page : undefined };
}

/** Exports may revalidate a page as often as they read it: they are few, and spend their team's share. */
export const forcedBy = <L extends AgeLimits>({ urgency }: Pick<Ask, 'urgency'>, limits: L): L =>
  urgency === 'bulk' ? { ...limits, minFreshSeconds: 0 } : limits;

/** Says which pages of the second level are good enough. An export needs a fresh first page. */
export function wantedOf({ kind }: PageQuery, { urgency, maxAgeSeconds, mayBeStale = true }: LookupAsk) {
  return { maxAgeSeconds, mayBeStale: mayBeStale && !(urgency === 'bulk' && kind === 'first') };
}
