import type { ForwardClock } from './clock.ts';

/** Runs `work` while the clock stands still: responses that are compared to the letter are of one moment. */
export async function atOneMoment<T>(clock: ForwardClock, work: () => Promise<T>): Promise<T> {
  const [now, monotonic] = [clock.now(), clock.monotonic()];
  const still = { now: () => now, monotonic: () => monotonic };
  Object.assign(clock, still);
  try {
    return await work();
  } finally {
    for (const name of Object.keys(still)) Reflect.deleteProperty(clock, name);
  }
}
