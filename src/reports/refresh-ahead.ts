/**
 * Refreshes a first page that is being polled when its freshness ends, not at the first poll after that: new rows are cached before
 * they are requested.
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
  /** Whether there is quota for calls that no caller has requested yet. */
  readonly isAmple: () => boolean;
}

/** A page that is requested this shortly before its freshness ends is expected to be requested again shortly after. */
const pollMs = 60_000;
/** Timers can fire a moment early, when the page is still fresh. */
const slackMs = 10;
const maxPlanned = 10_000;

export class RefreshAhead {
  readonly #parts: Parts;
  readonly #planned = new Map<Page, () => void>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** To be called with every page that was answered. A page that has just been fetched shows no polling yet. */
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
