/**
 * Which day is counted, by a wall clock that may have been wrong, or be wrong now.
 */
import { dayMs, dayOf } from './day.ts';

/** A clock set back by less than this over midnight does not bring yesterday back. */
const slackMs = 3_600_000;

export class CountedDay {
  /** Days since 1970-01-01 UTC. */
  #day: number;
  /** The day that the clock was set back from. */
  #setBackFrom: number | undefined;

  constructor(nowMs: number) {
    this.#day = dayOf(nowMs);
  }

  get number(): number {
    return this.#day;
  }

  /** Wall time in milliseconds. */
  get endsAt(): number {
    return (this.#day + 1) * dayMs;
  }

  /** UTC date, such as 2026-01-31. */
  get date(): string {
    return new Date(this.#day * dayMs).toISOString().slice(0, 10);
  }

  /** Says what to do by this clock: begin the next day, or count for another day because the clock was wrong; undefined if nothing. */
  turnAt(nowMs: number): 'begin' | 'correct' | undefined {
    const today = dayOf(nowMs);
    if (today === this.#day) return undefined;
    const isBack = nowMs < this.#day * dayMs - slackMs;
    const isThereAgain = today === this.#setBackFrom && nowMs > today * dayMs + slackMs;
    if (isBack || isThereAgain) return 'correct';
    return today > this.#day ? 'begin' : undefined;
  }

  moveTo(nowMs: number): void {
    const today = dayOf(nowMs);
    this.#setBackFrom = today < this.#day ? this.#day : undefined;
    this.#day = today;
  }

  /** Compares with the day of a stored count. One of a later day was counted before the clock was set back: it may be of today. */
  isAfter(date: string): boolean {
    const day = dayOf(Date.parse(date));
    if (day > this.#day) this.#setBackFrom = day;
    return day < this.#day;
  }
}
