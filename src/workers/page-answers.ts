/**
 * Answers workers' questions for pages, in the primary.
 */
import type { PageCache } from '../cache/page-cache.ts';
import type { Clock } from '../clock.ts';
import type { AnsweredPage, AskedPage } from './protocol.ts';

interface Parts {
  readonly pages: PageCache;
  readonly clock: Clock;
  /** Whether there is quota for calls that no caller has requested yet. */
  readonly isAmple: () => boolean;
}

export function pageAnswers({ pages, clock, isAmple }: Parts) {
  const page = async ({ query, ask }: AskedPage, signal?: AbortSignal): Promise<AnsweredPage> => {
    const lookup = await pages.get(query, { ...ask, ...(signal && { signal }) });
    return { lookup, at: clock.monotonic(), goodForMs: pages.goodForMs(query), heldUnder: pages.heldUnder(query) };
  };
  return {
    page,
    /** Undefined without quota, or when the call fails, which the upstream reports. */
    prefetch: async ({ query, ask }: AskedPage): Promise<AnsweredPage | undefined> =>
      isAmple() ? page({ query, ask: { ...ask, urgency: 'refresh' } }).catch(() => undefined) : undefined,
  };
}
