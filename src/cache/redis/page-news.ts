/**
 * Notifies waiting requests when another instance's call for a page ends.
 */
import { type Clock, sleep } from '../../clock.ts';
import type { Redis } from '../../redis/redis.ts';

interface Listening {
  /** Resolves with the message, or an empty string after `ms` milliseconds. Rejects with the signal's reason. */
  wait(ms: number, signal: AbortSignal): Promise<string>;
  cancel(): void;
}

export class PageNews {
  readonly #clock: Clock;
  readonly #listeners = new Map<string, Set<(news: string) => void>>();

  constructor(redis: Redis, clock: Clock) {
    this.#clock = clock;
    redis.on('page', (key = '', failure = '') => {
      for (const listener of this.#listeners.get(key) ?? []) listener(failure);
    });
  }

  /** Starts to listen at once: the message may arrive before the reply that says to wait for it. */
  listen(key: string): Listening {
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    let listener: (news: string) => void = () => {};
    const news = new Promise<string>((resolve) => {
      listener = resolve;
    });
    listeners.add(listener);
    return {
      wait: (ms, signal) => this.#wait(news, ms, signal),
      cancel: () => {
        listeners.delete(listener);
        if (listeners.size === 0) this.#listeners.delete(key);
      },
    };
  }

  async #wait(news: Promise<string>, ms: number, signal: AbortSignal): Promise<string> {
    const over = new AbortController();
    try {
      const waking = AbortSignal.any([signal, over.signal]);
      return await Promise.race([news, sleep(this.#clock, ms, waking).then(() => '')]);
    } finally {
      over.abort();
    }
  }
}
