/**
 * The only source of time, so that tests and simulations can pass another one.
 */
import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Wall time, in milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Milliseconds on a clock that never jumps; only differences are meaningful. */
  monotonic(): number;
  /** Runs `run` once, `ms` milliseconds from now. Returns its cancellation. */
  after(ms: number, run: () => void): () => void;
}

/**
 * A time as a multiple of 2⁻¹⁰ milliseconds: sums and differences of such times are exact. Otherwise `(t + 60_000) - t` can
 * be a little more than 60,000, and a minute has 61 seconds when it is rounded up.
 */
export const exactMs = (ms: number) => Math.round(ms * 1024) / 1024;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => exactMs(performance.now()),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** Waits `ms` milliseconds; rejects with the signal's reason when that comes first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Whether a promise settles within `ms` milliseconds; rejects when it does. */
export async function settlesWithin(clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> {
  let cancel = () => {};
  const deadline = new Promise<false>((resolve) => {
    cancel = clock.after(ms, () => resolve(false));
  });
  try {
    return await Promise.race([promise.then(() => true), deadline]);
  } finally {
    cancel();
  }
}

/** Passes the same value on at most once a minute. */
export function onceAMinute<T>(clock: Clock, tell: (what: T) => void): (what: T) => void {
  const toldAt = new Map<T, number>();
  return (what) => {
    const now = clock.monotonic();
    if (now - (toldAt.get(what) ?? Number.NEGATIVE_INFINITY) < 60_000) return;
    toldAt.set(what, now);
    tell(what);
  };
}
