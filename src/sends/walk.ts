/**
 * A whole campaign, page by page, while it is being read: never more than one page ahead of its reader.
 */
import { type Clock, sleep } from '../clock.ts';
import type { Found, Pages } from '../pages/pages.ts';
import { Problem, type ProblemCode } from '../problems.ts';
import type { Send } from '../upstream/dialect.ts';
import { readSends } from './body.ts';
import type { SendsQuery } from './query.ts';

interface Parts {
  readonly pages: Pages;
  readonly clock: Clock;
  /** How long a page that does not come is asked for again and again, in milliseconds. */
  readonly patienceMs: number;
}

export interface WalkAsk {
  readonly team: string;
  readonly signal: AbortSignal;
}

/** What may pass while a walk waits. */
const passing: ReadonlySet<ProblemCode> = new Set(['upstream-busy', 'upstream-failed', 'upstream-timeout']);

const pauseMs = { first: 1_000, most: 15_000 };

/** Sends that are remembered, so that none is told twice: more than can arrive while one page is being read. */
const maxRemembered = 10_000;

/**
 * The walk's first page, and after it the sends of every page in turn. While one is being read, the next is fetched.
 *
 * New sends that arrive on the way shift what is behind an offset cursor, and pages repeat what has been read: here
 * every send comes once.
 *
 * @throws Problem when a page cannot be had: the first at once, the others after `patienceMs`; or the signal's reason
 */
export async function startWalk(
  parts: Parts,
  head: SendsQuery,
  ask: WalkAsk,
): Promise<AsyncGenerator<readonly Send[], void>> {
  const first = await parts.pages.get(head, { ...ask, urgency: 'bulk' });
  return walkOn(parts, head, ask, first);
}

async function* walkOn(parts: Parts, head: SendsQuery, ask: WalkAsk, first: Found) {
  const seen = new Recent();
  for (let found: Found | undefined = first; found; ) {
    const { cursor, encodings }: Found['page']['body'] = found.page.body;
    const next: Promise<Found> | undefined =
      cursor === undefined ? undefined : patiently(parts, { ...head, cursor }, ask);
    // Should it fail while this page is being read, that is told when it is wanted.
    next?.catch(() => {});
    yield readSends(encodings.identity.toString()).filter((send) => seen.add(send));
    found = await next;
  }
}

async function patiently({ pages, clock, patienceMs }: Parts, query: SendsQuery, ask: WalkAsk): Promise<Found> {
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

/** The newest sends that were told, in two halves of which the older is dropped when the newer is full. */
class Recent {
  #newer = new Set<string>();
  #older = new Set<string>();

  /** Whether the send is none of them; it is now. */
  add({ contact_id, send_date, activity_type }: Send): boolean {
    const identity = `${contact_id} ${send_date} ${activity_type}`;
    if (this.#newer.has(identity) || this.#older.has(identity)) return false;
    this.#newer.add(identity);
    if (this.#newer.size >= maxRemembered / 2) {
      this.#older = this.#newer;
      this.#newer = new Set();
    }
    return true;
  }
}
