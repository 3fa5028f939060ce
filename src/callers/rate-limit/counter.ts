/**
 * Counts requests of each client in its current window, in bounded memory.
 */
import { LRUCache } from 'lru-cache';
import { upTo } from '../../model/lru.ts';

export const windowMs = 60_000;

interface PolicyField {
  readonly text: string;
  /** The limit that it names. */
  readonly limit: number;
}

/** One client's window of a minute. It begins with the client's first request. */
export class Window {
  /** Admitted requests. */
  used = 0;
  /** Admitted requests not yet reported to the shared counter. */
  unreported = 0;
  /** Monotonic time in milliseconds. */
  endsAt: number;
  /** The client's `RateLimit-Policy`, which costs a digest to make. */
  policy: PolicyField | undefined;

  constructor(endsAt: number, policy: PolicyField | undefined) {
    this.endsAt = endsAt;
    this.policy = policy;
  }

  /** Seconds until it ends, rounded up. */
  secondsLeft(now: number): number {
    return Math.max(0, Math.ceil((this.endsAt - now) / 1000));
  }
}

/** Evicts the least recently seen client. express-rate-limit's memory store has no bound. */
export class Windows {
  readonly #windows: LRUCache<string, Window>;
  readonly #onBegin: (key: string) => void;

  /** @param onBegin called with a client's key when its window begins: once a minute while it sends requests */
  constructor(maxClients: number, onBegin: (key: string) => void) {
    this.#windows = new LRUCache(upTo(maxClients));
    this.#onBegin = onBegin;
  }

  get size(): number {
    return this.#windows.size;
  }

  /** @param now monotonic time in milliseconds */
  current(key: string, now: number): Window {
    const known = this.#windows.get(key);
    if (known && known.endsAt > now) return known;
    const window = new Window(now + windowMs, known?.policy);
    this.#windows.set(key, window);
    this.#onBegin(key);
    return window;
  }
}
