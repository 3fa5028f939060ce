/**
 * The day's calls, counted here because no header tells them, and kept over a restart.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { dayMs } from './day.ts';
import type { Urgency } from './demand.ts';

export interface DayBudgetOptions {
  readonly perDay: number;
  /** Percent of the day's calls that only `interactive` demands may spend: the last ones. */
  readonly reserve: number;
  /** Where the count is kept; empty: nowhere. */
  readonly stateFile: string;
}

/** What the count tells of itself. */
export interface DayBudgetEvents {
  /** Once a day and threshold. */
  passed(percent: number): void;
  /** The file cannot be read or written: told once, until it can. */
  unsaved(reason: 'unreadable' | 'unwritable'): void;
}

const thresholds = [50, 80, 95, 100];
const state = z.object({ day: z.iso.date(), calls: z.int().nonnegative() });

export class DayBudget {
  readonly #options: DayBudgetOptions;
  readonly #events: DayBudgetEvents;
  #day: string;
  #calls = 0;
  #writable = true;

  constructor(options: DayBudgetOptions, events: DayBudgetEvents, nowMs: number) {
    this.#options = options;
    this.#events = events;
    this.#day = dayOf(nowMs);
    this.#load();
  }

  used(nowMs: number): number {
    this.#turn(nowMs);
    return this.#calls;
  }

  left(nowMs: number): number {
    return Math.max(0, this.#options.perDay - this.used(nowMs));
  }

  /** Whether a call of this urgency may still be made today. */
  allows(urgency: Urgency, nowMs: number): boolean {
    const kept = urgency === 'interactive' ? 0 : (this.#options.perDay * this.#options.reserve) / 100;
    return this.left(nowMs) > kept;
  }

  /** Whether more than half is left of what should be, had the day been spent evenly. */
  isAmple(nowMs: number): boolean {
    const restOfDay = 1 - (nowMs % dayMs) / dayMs;
    return this.left(nowMs) > (this.#options.perDay * restOfDay) / 2;
  }

  /** Counts a call. It is written down before the call is made, so that a crash loses none. */
  spend(nowMs: number): void {
    this.#turn(nowMs);
    this.#calls++;
    this.#save();
    const { perDay } = this.#options;
    for (const percent of thresholds) {
      const mark = Math.ceil((perDay * percent) / 100);
      if (this.#calls === mark) this.#events.passed(percent);
    }
  }

  #turn(nowMs: number): void {
    const day = dayOf(nowMs);
    // A clock that is set back by a moment does not bring yesterday's calls back.
    if (day <= this.#day) return;
    this.#day = day;
    this.#calls = 0;
  }

  #load(): void {
    const { stateFile } = this.#options;
    if (stateFile === '') return;
    try {
      const { day, calls } = state.parse(JSON.parse(readFileSync(stateFile, 'utf8')));
      if (day === this.#day) this.#calls = calls;
    } catch (error) {
      const isFirst = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isFirst) this.#events.unsaved('unreadable');
    }
  }

  /** Four times a second at the most, in a tenth of a millisecond: not worth the ways in which doing it later can fail. */
  #save(): void {
    const { stateFile } = this.#options;
    if (stateFile === '') return;
    try {
      writeFileSync(`${stateFile}.new`, JSON.stringify({ day: this.#day, calls: this.#calls }));
      renameSync(`${stateFile}.new`, stateFile);
      this.#writable = true;
    } catch {
      if (this.#writable) this.#events.unsaved('unwritable');
      this.#writable = false;
    }
  }
}

const dayOf = (nowMs: number) => new Date(nowMs).toISOString().slice(0, 10);
