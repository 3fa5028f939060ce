/**
 * Refreshes a polled first page as soon as it goes stale, not at the next poll, so that new rows are cached before they are
 * requested.
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

/** A page requested this shortly before it goes stale counts as polled. */
const pollMs = 60_000;
/** Timers can fire a moment early, when the page is still fresh. */
const slackMs = 10;
const maxPlanned = 10_000;

export class RefreshAhead {
  readonly #parts: Parts;
  /** Pages to be refreshed, with the functions that cancel it. */
  readonly #planned = new Map<Page, () => void>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Call it with every page answered. A page that was just fetched does not count as polled yet. */
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

  cancelAll(): void {
    for (const cancel of this.#planned.values()) cancel();
    this.#planned.clear();
  }
}
