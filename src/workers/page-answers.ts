/**
 * How the primary answers its workers' questions for pages.
 */
import type { PageCache } from '../cache/page-cache.ts';
import type { Clock } from '../clock.ts';
import type { AnsweredPage, AskedPage } from './protocol.ts';

interface Parts {
  readonly pages: PageCache;
  readonly clock: Clock;
  /** Whether there is quota for calls that nobody has asked for yet. */
  readonly isAmple: () => boolean;
}

export function pageAnswers({ pages, clock, isAmple }: Parts) {
  const page = async ({ query, ask }: AskedPage, signal?: AbortSignal): Promise<AnsweredPage> => {
    const lookup = await pages.get(query, { ...ask, ...(signal && { signal }) });
    return { lookup, at: clock.monotonic(), goodForMs: pages.goodForMs(query), heldUnder: pages.heldUnder(query) };
  };
  return {
    page,
    /** Undefined where there is no quota for it, or no page to be had, which the upstream has reported. */
    prefetch: async ({ query, ask }: AskedPage): Promise<AnsweredPage | undefined> =>
      isAmple() ? page({ query, ask: { ...ask, urgency: 'refresh' } }).catch(() => undefined) : undefined,
  };
}
