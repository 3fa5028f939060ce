import { MeansAnotherId } from '../model/campaign-ids.ts';
import { isAbandoned } from '../quota/waiters.ts';

/**
 * Retries a lookup once for each of two reasons: the call it joined was aborted because all other callers left, or its id
 * turned out to mean another one.
 *
 * @param signal of the caller; once aborted, no retry
 * @throws what `lookup` throws
 */
export async function retryLookup<T>(lookup: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const reasons = new Set(['abandoned', 'another id']);
  for (;;) {
    try {
      return await lookup();
    } catch (error) {
      const isToRetry = isAbandoned(error) && !signal?.aborted;
      const reason = error instanceof MeansAnotherId ? 'another id' : isToRetry ? 'abandoned' : '';
      if (!reasons.delete(reason)) throw error;
    }
  }
}
