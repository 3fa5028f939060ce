/**
 * Shares one count of a client's requests between processes and instances.
 */
import type { Clock } from '../../clock.ts';
import type { Digest } from '../../redis/digests.ts';
import type { Redis } from '../../redis/redis.ts';
import { loadScript } from '../../redis/scripts.ts';
import { type Window, windowMs } from './counter.ts';

/** Adds up the counts of several processes. */
export interface SharedCounter {
  readonly isUp: boolean;
  /**
   * Adds to the count of a client. Resolves with the total and the milliseconds left in its window; undefined on failure.
   *
   * @param leftMs milliseconds left in the window, if it begins with these requests
   */
  add(
    key: string,
    count: number,
    leftMs: number,
  ): Promise<{ readonly total: number; readonly leftMs: number } | undefined>;
}

/**
 * Interval of reports: asking at every request, as common stores do, would add a round trip to every hit. A client that sends to
 * all instances at once can exceed its limit by the requests of one interval.
 */
const reportEveryMs = 100;

/** Reports local counts to the shared counter and adopts the totals. */
export class CountReports {
  readonly #shared: SharedCounter;
  readonly #clock: Clock;
  readonly #pending = new Map<string, Window>();

  constructor(shared: SharedCounter, clock: Clock) {
    this.#shared = shared;
    this.#clock = clock;
  }

  /** Schedules a report for a window that counted a request. While the shared counter is down, counts stay local. */
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
 * Counts the requests of all instances in Redis.
 *
 * @param digest of the client's address, which readers of Redis cannot recover by trying all addresses
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
