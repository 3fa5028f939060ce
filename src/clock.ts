/**
 * The only source of time, so that tests and simulations can pass another one.
 */
import { performance } from 'node:perf_hooks';

export interface Clock {
  /** Wall time, in milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Milliseconds on a clock that never jumps; only differences are meaningful. */
  monotonic(): number;
  /** Runs `run` once, `ms` milliseconds from now. Returns a function that cancels it. */
  after(ms: number, run: () => void): () => void;
}

/**
 * Rounds a time to a multiple of 2⁻¹⁰ milliseconds, which makes sums and differences exact. Otherwise `(t + 60_000) - t` can
 * slightly exceed 60,000, and a minute rounds up to 61 seconds.
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

/** Waits `ms` milliseconds; rejects with the signal's reason if it aborts first. */
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

/** Returns whether a promise resolves within `ms` milliseconds; rejects if the promise rejects. */
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

/** Length of the steps in which `answersWithin` waits. */
const stepMs = 50;

/**
 * Like `settlesWithin`, for an answer from outside: a stall of this process counts as one step at most, since an answer that has come
 * meanwhile is only seen behind it.
 */
export async function answersWithin(clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < ms; waitedMs += stepMs) {
    if (await settlesWithin(clock, Math.min(stepMs, ms - waitedMs), promise)) return true;
  }
  return false;
}

/** Throttles `tell` to once a minute for each value. */
export function onceAMinute<T>(clock: Clock, tell: (what: T) => void): (what: T) => void {
  const toldAt = new Map<T, number>();
  return (what) => {
    const now = clock.monotonic();
    if (now - (toldAt.get(what) ?? Number.NEGATIVE_INFINITY) < 60_000) return;
    toldAt.set(what, now);
    tell(what);
  };
}
