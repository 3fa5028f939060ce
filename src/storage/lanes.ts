/**
 * Runs few disk operations at a time: they take threads that DNS and compression need too, and a disk that hangs keeps those
 * that it has.
 */
import type { Clock } from '../clock.ts';

/** Node's pool has four threads. */
const lanes = 2;

export class Lanes {
  readonly #clock: Clock;
  #free = lanes;
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<{ readonly startedAt: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long the operation has been running that has run longest; 0 if none runs. */
  get longestMs(): number {
    const startedAt = Math.min(...[...this.#running].map((operation) => operation.startedAt));
    return Number.isFinite(startedAt) ? this.#clock.monotonic() - startedAt : 0;
  }

  /**
   * Runs an operation when its turn comes, in the order of the calls.
   *
   * @param isWanted asked when its turn comes; if it no longer is, undefined is returned
   */
  async run<T>(operation: () => Promise<T>, isWanted = () => true): Promise<T | undefined> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const running = { startedAt: this.#clock.monotonic() };
    this.#running.add(running);
    try {
      return isWanted() ? await operation() : undefined;
    } finally {
      this.#running.delete(running);
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
