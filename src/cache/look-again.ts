import { MeansAnotherId } from '../model/campaign-ids.ts';
import { isAbandoned } from '../quota/waiters.ts';

/**
 * Runs `look`, and retries it once for each of two reasons: the fetch that it joined was aborted because all other callers left,
 * and the id that it asked by has just been found to mean another one.
 *
 * @param signal of the caller, who is not answered once it is aborted
 * @throws what `look` throws
 */
export async function lookAgain<T>(look: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const reasons = new Set(['left', 'another id']);
  for (;;) {
    try {
      return await look();
    } catch (error) {
      const isLeft = isAbandoned(error) && !signal?.aborted;
      const reason = error instanceof MeansAnotherId ? 'another id' : isLeft ? 'left' : '';
      if (!reasons.delete(reason)) throw error;
    }
  }
}
