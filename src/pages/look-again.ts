import { MeansAnotherId } from '../upstream/dialect.ts';
import { isAbandoned } from '../upstream/quota/waiters.ts';

/**
 * Runs `look`, and once more for each of two reasons: a fetch that its callers have left ends with their leaving, also for those
 * who joined it since; and what an id means becomes known while it is asked for.
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
