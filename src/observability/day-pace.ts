/**
 * How fast the day's calls are spent: over the last half hour, of which only the time since the start, and since 00:00 UTC, counts.
 */
import { dayMs, type Now } from '../quota/day.ts';

const windowMs = 30 * 60_000;
/** Between two samples, so that there are few. */
const sampleEveryMs = 60_000;

interface DayCount {
  readonly callsToday: number;
  readonly dayEndsAt: string;
}

export interface Pace {
  readonly calls: number;
  readonly seconds: number;
}

/** The day's calls at a time. */
interface Sample {
  /** Monotonic, in milliseconds. */
  readonly at: number;
  readonly calls: number;
}

export class DayPace {
  #dayEndsAt: string | undefined;
  /** At most one is older than the window. */
  readonly #samples: Sample[] = [];

  /** Takes a sample of the day's calls, at most one a minute. */
  note({ callsToday, dayEndsAt }: DayCount, now: Now): void {
    if (dayEndsAt !== this.#dayEndsAt) this.#begin(dayEndsAt, now);
    const last = this.#samples.at(-1);
    if (last && now.monotonic - last.at < sampleEveryMs) return;
    this.#samples.push({ at: now.monotonic, calls: callsToday });
    while ((this.#samples[1]?.at ?? Number.POSITIVE_INFINITY) <= now.monotonic - windowMs) this.#samples.shift();
  }

  /** Returns the calls of the last seconds, and how many seconds that are. */
  read(day: DayCount, now: Now): Pace {
    this.note(day, now);
    const present = { at: now.monotonic, calls: day.callsToday };
    const [first = present, second = present] = this.#samples;
    const startsAt = Math.max(first.at, now.monotonic - windowMs);
    const passed = second.at > first.at ? (startsAt - first.at) / (second.at - first.at) : 0;
    const before = first.calls + (second.calls - first.calls) * passed;
    return {
      calls: Math.max(0, Math.round(day.callsToday - before)),
      seconds: Math.round((now.monotonic - startsAt) / 1000),
    };
  }

  /** A day begins without calls. What was called on the day of the start, before that, says nothing about the pace. */
  #begin(dayEndsAt: string, { wall, monotonic }: Now): void {
    const isFirst = this.#dayEndsAt === undefined;
    this.#dayEndsAt = dayEndsAt;
    this.#samples.length = 0;
    const sinceMidnightMs = Math.max(0, wall - (Date.parse(dayEndsAt) - dayMs));
    if (!isFirst) this.#samples.push({ at: monotonic - sinceMidnightMs, calls: 0 });
  }
}
