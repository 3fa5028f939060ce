/**
 * One count of a client's requests for all processes and instances.
 */
import type { Clock } from '../../clock.ts';
import type { Digest } from '../../redis/digests.ts';
import type { Redis } from '../../redis/redis.ts';
import { loadScript } from '../../redis/scripts.ts';
import { type Window, windowMs } from './counter.ts';

/** Where several processes add up what each of them has counted. */
export interface SharedCounter {
  readonly isUp: boolean;
  /**
   * Adds to the count of a client. Resolves with the sum and the time that is left of its window, in milliseconds; or with
   * undefined on failure.
   *
   * @param leftMs what is left of the window, if it begins with this
   */
  add(
    key: string,
    count: number,
    leftMs: number,
  ): Promise<{ readonly total: number; readonly leftMs: number } | undefined>;
}

/**
 * How often counts are reported: asking at every request, as the usual stores do, would put a round trip into every hit. A
 * client that sends to all instances at once exceeds its limit by what it sends in this time.
 */
const reportEveryMs = 100;

/** Reports to the shared counter what is counted here, and takes over the sums. */
export class CountReports {
  readonly #shared: SharedCounter;
  readonly #clock: Clock;
  readonly #pending = new Map<string, Window>();

  constructor(shared: SharedCounter, clock: Clock) {
    this.#shared = shared;
    this.#clock = clock;
  }

  /** A request was counted in this window. Without the shared counter, it counts here alone. */
  counted(key: string, window: Window): void {
    if (!this.#shared.isUp) return;
    window.unreported++;
    if (this.#pending.size === 0) this.#clock.after(reportEveryMs, () => this.#reportAll());
    this.#pending.set(key, window);
  }

  #reportAll(): void {
    for (const [key, window] of this.#pending) void this.#report(key, window);
    this.#pending.clear();
  }

  async #report(key: string, window: Window): Promise<void> {
    const { unreported } = window;
    window.unreported = 0;
    const leftMs = Math.max(1, Math.ceil(window.endsAt - this.#clock.monotonic()));
    const sum = await this.#shared.add(key, unreported, leftMs);
    if (!sum) return;
    window.used = Math.max(window.used, sum.total + window.unreported);
    window.endsAt = this.#clock.monotonic() + Math.min(sum.leftMs, windowMs);
  }
}

const countTogether = loadScript(import.meta.url, 'lua/count-1.lua');

/**
 * The counts of all instances, in Redis.
 *
 * @param digest of the client's address, so that no reader of Redis learns it by trying them all
 */
export function redisCounter(redis: Redis, digest: Digest): SharedCounter {
  return {
    get isUp() {
      return redis.isUp;
    },
    add: async (key, count, leftMs) => {
      const name = redis.key(`rate:${digest('client', key)}`);
      const reply = await redis.run(countTogether, [name, count, Math.min(leftMs, windowMs), windowMs]);
      const [total, left] = Array.isArray(reply) ? reply : [];
      if (!Number.isSafeInteger(total) || !Number.isSafeInteger(left)) return undefined;
      return { total: Number(total), leftMs: Math.min(Math.max(1, Number(left)), windowMs) };
    },
  };
}
