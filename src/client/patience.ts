/**
 * Pauses between attempts: 1 s, twice as long each time up to 15 s, until patience ends.
 */
const defaultPatienceSeconds = 120;
const firstPauseSeconds = 1;
const longestPauseSeconds = 15;
/** The longest time of a timer: beyond it, `setTimeout` does not wait at all. */
const longestTimerMs = 2 ** 31 - 1;

export class Patience {
  readonly #endsAt: number;
  #pauseSeconds = firstPauseSeconds;

  constructor(seconds = defaultPatienceSeconds) {
    this.#endsAt = performance.now() + seconds * 1000;
  }

  /**
   * Waits for the next attempt.
   *
   * @returns false, at once, if patience ends before it
   * @throws the signal's reason
   */
  async pause(signal: AbortSignal | undefined, atLeastSeconds = 0): Promise<boolean> {
    const ms = Math.max(this.#pauseSeconds, atLeastSeconds) * 1000;
    if (!(performance.now() + ms <= this.#endsAt)) return false; // Also if it is NaN.
    this.#pauseSeconds = Math.min(this.#pauseSeconds * 2, longestPauseSeconds);
    await wait(Math.min(ms, longestTimerMs), signal);
    return true;
  }
}

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', giveUp);
      resolve();
    }, ms);
    signal?.addEventListener('abort', giveUp, { once: true });
  });
}
