/**
 * A whole campaign, page by page, while it is being read: never more than one page ahead of its reader.
 */

import { identityOf } from '../../cache/compression.ts';
import type { PageBody } from '../../cache/page.ts';
import type { Found, PageSource } from '../../cache/page-cache.ts';
import { type Clock, sleep } from '../../clock.ts';
import { type FirstPage, type PageQuery, pageBehind } from '../../model/page-query.ts';
import type { Row } from '../../model/report.ts';
import { reports } from '../../model/reports.ts';
import { Problem, type ProblemCode } from '../../problems.ts';
import type { Payer } from '../../quota/demand.ts';
import { resultsOf } from '../page-json.ts';

interface Parts {
  readonly pages: PageSource;
  readonly clock: Clock;
  /** How long a page that does not come is asked for again and again, in milliseconds. */
  readonly patienceMs: number;
}

export interface WalkAsk extends Payer {
  readonly signal: AbortSignal;
}

/** What may pass while a walk waits. */
const passing: ReadonlySet<ProblemCode> = new Set(['upstream-busy', 'upstream-failed', 'upstream-timeout']);

const pauseMs = { first: 1_000, most: 15_000 };

/** Pages in a row that may repeat what was told: more, and the cursors go round in a circle. */
const maxRepeated = 200;

/** Pages that are remembered, so that no send is told twice: more than can arrive while one is being read. */
const maxRememberedPages = 20;

/**
 * Waits for the walk's first page, and returns the sends of every page in turn, each a JSON array. While one is being
 * read, the next is fetched.
 *
 * New sends that arrive on the way shift what is behind an offset cursor, and pages repeat what has been read: here
 * every send comes once.
 *
 * @throws Problem when a page cannot be had: the first at once, the others after `patienceMs`; or the signal's reason
 */
export async function startWalk(parts: Parts, head: FirstPage, ask: WalkAsk): Promise<AsyncGenerator<string, void>> {
  const first = await parts.pages.get(head, { ...ask, urgency: 'bulk' });
  return walkOn(parts, head, ask, first);
}

async function* walkOn(parts: Parts, head: FirstPage, ask: WalkAsk, first: Found) {
  const told = new Told(reports[head.report].dateField);
  const circle = new Circle();
  let repeated = 0;
  for (let found: Found | undefined = first; found; ) {
    const { body }: Found['page'] = found.page;
    const { cursor }: PageBody = body;
    const next: Promise<Found> | undefined =
      cursor === undefined ? undefined : patiently(parts, pageBehind(head, cursor), ask);
    // Should it fail while this page is being read, that is told when it is wanted.
    next?.catch(() => {});
    const news = told.news(resultsOf((await identityOf(body)).toString()));
    repeated = news === '[]' ? repeated + 1 : 0;
    const isCircle = cursor !== undefined && circle.closesAt(cursor);
    if (isCircle || repeated > maxRepeated) throw new Problem('upstream-failed', { reason: 'circle' });
    yield news;
    found = await next;
  }
}

async function patiently({ pages, clock, patienceMs }: Parts, query: PageQuery, ask: WalkAsk): Promise<Found> {
  const giveUpAt = clock.monotonic() + patienceMs;
  for (let waitMs = pauseMs.first; ; waitMs = Math.min(waitMs * 2, pauseMs.most)) {
    try {
      return await pages.get(query, { ...ask, urgency: 'bulk' });
    } catch (error) {
      if (!(error instanceof Problem) || !passing.has(error.code)) throw error;
      const ms = Math.max(waitMs, (error.retryAfterSeconds ?? 0) * 1000);
      if (clock.monotonic() + ms >= giveUpAt) throw error;
      await sleep(clock, ms, ask.signal);
    }
  }
}

/** Whether cursors repeat, found with the memory of one of them (Brent's algorithm): after three rounds at the latest. */
class Circle {
  #remembered: string | undefined;
  #steps = 0;
  #stepsUntilNext = 1;

  closesAt(cursor: string): boolean {
    if (cursor === this.#remembered) return true;
    if (++this.#steps === this.#stepsUntilNext) {
      this.#remembered = cursor;
      this.#steps = 0;
      this.#stepsUntilNext *= 2;
    }
    return false;
  }
}

/** What was told, as far as it can come again. */
class Told {
  /** The last pages of it. */
  readonly #recent: string[] = [];
  readonly #dateKey: string;

  constructor(dateField: string) {
    this.#dateKey = `"${dateField}":"`;
  }

  /** Those of a page's sends that have not been told; they are told now. */
  news(sends: string): string {
    const last = this.#recent.at(-1);
    const news = last === undefined || this.#isOlder(sends, last) ? sends : this.#without(sends);
    if (news !== '[]') this.#recent.push(news);
    if (this.#recent.length > maxRememberedPages) this.#recent.shift();
    return news;
  }

  #without(sends: string): string {
    const told = new Set(this.#recent.flatMap((page) => parse(page).map(identity)));
    return JSON.stringify(parse(sends).filter((send) => !told.has(identity(send))));
  }

  /** Whether all of a page is older than all of another, by their dates alone, as nearly every page is. */
  #isOlder(sends: string, before: string): boolean {
    const [oldest = ''] = datesIn(before, this.#dateKey).toSorted();
    return datesIn(sends, this.#dateKey).every((date) => date !== '' && date < oldest);
  }
}

/** The dates of sends, of which there is one at least, all in one spelling; an empty one is older than any. */
function datesIn(sends: string, dateKey: string): readonly string[] {
  const dates: string[] = [];
  for (let at = sends.indexOf(dateKey); at !== -1; at = sends.indexOf(dateKey, at)) {
    at += dateKey.length;
    dates.push(sends.slice(at, sends.indexOf('"', at)));
  }
  return dates;
}
const parse = (sends: string) => JSON.parse(sends) as readonly Row[];
/** All of a send: where its contact is not known, the rest tells it from others. */
const identity = (send: Row) => JSON.stringify(send);
