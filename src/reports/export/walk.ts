/**
 * Walks a whole report page by page, at most one page ahead of the reader.
 */
import { identityOf } from '../../cache/compression.ts';
import type { PageBody } from '../../cache/page.ts';
import type { PageSource } from '../../cache/page-source.ts';
import { type Clock, sleep } from '../../clock.ts';
import { type FirstPage, type PageQuery, pageBehind } from '../../model/page-query.ts';
import type { ListName } from '../../model/resource.ts';
import { lists } from '../../model/resources.ts';
import { Problem, type ProblemCode } from '../../problems.ts';
import type { Payer } from '../../quota/demand.ts';
import { resultsOf } from '../page-json.ts';
import { CursorCycle } from './cursor-cycle.ts';
import { NewRows } from './new-rows.ts';

interface Parts {
  readonly pages: PageSource;
  readonly clock: Clock;
  /** How long to retry a failing page, in milliseconds. */
  readonly patienceMs: number;
}

export interface WalkRequest extends Payer {
  readonly signal: AbortSignal;
}

/** Failures that a walk retries. */
const transient: ReadonlySet<ProblemCode> = new Set(['upstream-busy', 'upstream-failed', 'upstream-timeout']);

const pauseMs = { first: 1_000, longest: 15_000 };

/** Consecutive pages without a new row before the walk fails. */
const maxRepeatedPages = 200;

/**
 * Waits for the first page, then yields the rows of each page as a JSON array. Fetches the next page while one is read. Yields
 * each row once, even when new rows make pages repeat.
 *
 * @throws Problem when a page fails: the first page at once, later ones after `patienceMs`; or the signal's reason
 */
export async function startWalk(
  parts: Parts,
  first: FirstPage,
  request: WalkRequest,
): Promise<AsyncGenerator<string, void>> {
  return walkOn(parts, first, request, await fetchPage(parts, first, request));
}

async function* walkOn(parts: Parts, first: FirstPage, request: WalkRequest, firstBody: PageBody) {
  const newRows = new NewRows(lists[first.resource as ListName].dateField);
  const cycle = new CursorCycle();
  let repeatedPages = 0;
  let body = firstBody;
  for (;;) {
    const { cursor } = body;
    const next = cursor === undefined ? undefined : fetchPatiently(parts, pageBehind(first, cursor), request);
    // It may reject while this page is read; the rejection is thrown where it is awaited.
    next?.catch(() => {});
    const rows = newRows.of(resultsOf((await identityOf(body)).toString()));
    repeatedPages = rows === '[]' ? repeatedPages + 1 : 0;
    const isCycle = cursor !== undefined && cycle.closesAt(cursor);
    if (isCycle || repeatedPages > maxRepeatedPages) throw new Problem('upstream-failed', { reason: 'circle' });
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
