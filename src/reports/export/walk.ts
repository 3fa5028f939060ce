/**
 * Walks a whole list page by page, at most one page ahead of the reader.
 */
import { identityOf } from '../../cache/compression.ts';
import type { PageBody } from '../../cache/page.ts';
import type { PageSource } from '../../cache/page-source.ts';
import { type Clock, sleep } from '../../clock.ts';
import { type FirstPage, noCampaign, type PageQuery, pageBehind } from '../../model/page-query.ts';
import type { ListName } from '../../model/resource.ts';
import { lists } from '../../model/resources.ts';
import { Problem, type ProblemCode } from '../../problems.ts';
import type { Payer } from '../../quota/demand.ts';
import { resultsOf } from '../page-json.ts';
import { CursorCycle } from './cursor-cycle.ts';
import { NewCampaigns } from './new-campaigns.ts';
import { NewRows } from './new-rows.ts';

interface Parts {
  readonly pages: PageSource;
  readonly clock: Clock;
  /** How long to retry a failing page, in milliseconds. */
  readonly patienceMs: number;
}

export interface WalkRequest extends Payer {
  readonly signal: AbortSignal;
  /** Oldest acceptable age of a page. */
  readonly maxAgeSeconds?: number;
}

/** Failures that a walk retries. */
const transient: ReadonlySet<ProblemCode> = new Set(['upstream-busy', 'upstream-failed', 'upstream-timeout']);

const pauseMs = { first: 1_000, longest: 15_000 };

/** More than new rows can push back. */
const maxRepeatedPages = 200;

/** Times that the directory is read until it stands still. */
const maxPasses = 5;

/**
 * Waits for the first page, then yields the rows of each page as a JSON array. Yields each row once, even when new rows make
 * pages repeat.
 *
 * @throws Problem when a page fails: the first page at once, later ones after `patienceMs`; or the signal's reason
 */
export async function startWalk(
  parts: Parts,
  first: FirstPage,
  request: WalkRequest,
): Promise<AsyncGenerator<string, void>> {
  const walk = { parts, first, request, firstBody: await fetchPage(parts, first, request) };
  return first.campaign === noCampaign ? walkDirectory(walk) : walkReport(walk);
}

interface Walk {
  readonly parts: Parts;
  readonly first: FirstPage;
  readonly request: WalkRequest;
  readonly firstBody: PageBody;
}

async function* walkReport(walk: Walk): AsyncGenerator<string, void> {
  const newRows = new NewRows(lists[walk.first.resource as ListName].dateField);
  yield* eachOnce(walk, (rows) => newRows.of(rows));
}

/**
 * Campaigns change places while the directory is read, which has page numbers: one can move to an earlier page, or the end of
 * a page to the page before. Reads all pages anew until there is no new campaign. A single page needs no second look.
 *
 * @throws Problem `upstream-failed` if it never stands still
 */
async function* walkDirectory(walk: Walk): AsyncGenerator<string, void> {
  const { parts, first, request, firstBody } = walk;
  const newCampaigns = new NewCampaigns();
  const newOf = (rows: string) => {
    if (newCampaigns.isEndless) throw new Problem('upstream-failed', { reason: 'circle' });
    return newCampaigns.of(rows);
  };
  yield* eachOnce(walk, newOf);
  if (firstBody.cursor === undefined) return;
  const anew = { ...request, maxAgeSeconds: 0 };
  for (let pass = 1; pass < maxPasses; pass++) {
    const before = newCampaigns.count;
    const body = await fetchPatiently(parts, first, anew);
    const again = { parts, first, request: anew, firstBody: body };
    yield* eachOnce(again, newOf, Number.POSITIVE_INFINITY);
    if (newCampaigns.count === before) return;
  }
  throw new Problem('upstream-failed', { reason: 'moving' });
}

/**
 * Yields what `newOf` leaves of each page's rows. Fetches the next page while one is read.
 *
 * @param maxRepeated consecutive pages without a new row before the walk fails
 */
async function* eachOnce(
  { parts, first, request, firstBody }: Walk,
  newOf: (rows: string) => string,
  maxRepeated = maxRepeatedPages,
): AsyncGenerator<string, void> {
  const cycle = new CursorCycle();
  let repeatedPages = 0;
  let body = firstBody;
  for (;;) {
    const { cursor } = body;
    const next = cursor === undefined ? undefined : fetchPatiently(parts, pageBehind(first, cursor), request);
    // It may reject while this page is read; the rejection is thrown where it is awaited.
    next?.catch(() => {});
    const rows = newOf(resultsOf((await identityOf(body)).toString()));
    repeatedPages = rows === '[]' ? repeatedPages + 1 : 0;
    const isCycle = cursor !== undefined && cycle.closesAt(cursor);
    if (isCycle || repeatedPages > maxRepeated) throw new Problem('upstream-failed', { reason: 'circle' });
    yield rows;
    if (!next) return;
    body = await next;
  }
}

async function fetchPage({ pages }: Parts, query: PageQuery, request: WalkRequest): Promise<PageBody> {
  const { page } = await pages.get(query, { ...request, urgency: 'bulk' });
  return page.body;
}

/** Retries with exponential back-off, and no sooner than the failure's `Retry-After`. */
async function fetchPatiently(parts: Parts, query: PageQuery, request: WalkRequest): Promise<PageBody> {
  const { clock, patienceMs } = parts;
  const giveUpAt = clock.monotonic() + patienceMs;
  for (let waitMs = pauseMs.first; ; waitMs = Math.min(waitMs * 2, pauseMs.longest)) {
    try {
      return await fetchPage(parts, query, request);
    } catch (error) {
      if (!(error instanceof Problem) || !transient.has(error.code)) throw error;
      const ms = Math.max(waitMs, (error.retryAfterSeconds ?? 0) * 1000);
      if (clock.monotonic() + ms >= giveUpAt) throw error;
      await sleep(clock, ms, request.signal);
    }
  }
}
