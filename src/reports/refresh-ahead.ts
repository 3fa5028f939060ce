/**
 * A head that is being polled is refreshed at the moment when its freshness ends, not at the first poll after it: new
 * sends are then held before anybody asks.
 */

import type { Page } from '../cache/page.ts';
import type { PageSource } from '../cache/page-source.ts';
import type { Clock } from '../clock.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { Payer } from '../quota/demand.ts';
import { detached } from '../tracing.ts';

interface Parts {
  readonly pages: PageSource;
  readonly clock: Clock;
  /** Whether there is quota for calls that nobody has asked for yet. */
  readonly isAmple: () => boolean;
}

/** Asked for so shortly before its freshness ends, a page is taken to be asked for again shortly after. */
const pollMs = 60_000;
/** Timers can ring a moment early, and would find a fresh page. */
const slackMs = 10;
const maxPlanned = 10_000;

export class RefreshAhead {
  readonly #parts: Parts;
  readonly #planned = new Map<Page, () => void>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Called with every page that was answered. One look shows no polling: what has just been fetched is left alone. */
  answered(query: PageQuery, page: Page, payer: Payer): void {
    if (query.kind === 'next' || page.failedAt !== undefined) return;
    const leftMs = page.freshUntil - this.#parts.clock.monotonic();
    const lateMs = Math.min(pollMs, (page.freshUntil - page.fetchedAt) / 2);
    if (leftMs <= 0 || leftMs > lateMs || this.#planned.has(page) || this.#planned.size >= maxPlanned) return;

    const { clock, pages, isAmple } = this.#parts;
    const refresh = () => {
      this.#planned.delete(page);
      if (pages.peek(query) === page && isAmple()) void pages.prefetch(query, payer);
    };
    const cancel = detached(() => clock.after(leftMs + slackMs, refresh));
    this.#planned.set(page, cancel);
  }

  close(): void {
    for (const cancel of this.#planned.values()) cancel();
    this.#planned.clear();
  }
}
