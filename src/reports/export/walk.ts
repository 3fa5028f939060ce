/**
 * Walks a whole report page by page while it is read, never more than one page ahead of the reader.
 */
import { identityOf } from '../../cache/compression.ts';
import type { PageBody } from '../../cache/page.ts';
import type { PageSource } from '../../cache/page-source.ts';
import { type Clock, sleep } from '../../clock.ts';
import { type FirstPage, type PageQuery, pageBehind } from '../../model/page-query.ts';
import { reports } from '../../model/reports.ts';
import { Problem, type ProblemCode } from '../../problems.ts';
import type { Payer } from '../../quota/demand.ts';
import { resultsOf } from '../page-json.ts';
import { CursorCycle } from './cursor-cycle.ts';
import { NewRows } from './new-rows.ts';

interface Parts {
  readonly pages: PageSource;
  readonly clock: Clock;
  /** How long a page that fails is retried, in milliseconds. */
  readonly patienceMs: number;
}

export interface WalkRequest extends Payer {
  readonly signal: AbortSignal;
}

/** Failures that may pass while a walk waits. */
const transient: ReadonlySet<ProblemCode> = new Set(['upstream-busy', 'upstream-failed', 'upstream-timeout']);

const pauseMs = { first: 1_000, longest: 15_000 };

/** Pages in a row without a new row; more of them, and the cursors lead nowhere. */
const maxRepeatedPages = 200;

/**
 * Waits for the first page, and returns the rows of every page in turn, each page a JSON array. While one is read, the next is
 * fetched. Each row comes once, also when rows that arrive meanwhile make pages repeat.
 *
 * @throws Problem when a page cannot be had: the first at once, later ones after `patienceMs`; or the signal's reason
 */
export async function startWalk(
  parts: Parts,
  first: FirstPage,
  request: WalkRequest,
): Promise<AsyncGenerator<string, void>> {
  return walkOn(parts, first, request, await fetchPage(parts, first, request));
}

async function* walkOn(parts: Parts, first: FirstPage, request: WalkRequest, firstBody: PageBody) {
  const newRows = new NewRows(reports[first.report].dateField);
  const cycle = new CursorCycle();
  let repeatedPages = 0;
  let body = firstBody;
  for (;;) {
    const { cursor } = body;
    const next = cursor === undefined ? undefined : fetchPatiently(parts, pageBehind(first, cursor), request);
    // It may fail while this page is being read; the failure is thrown where it is awaited.
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

/** Retries with longer and longer pauses, at least as long as the failure asks for. */
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
