/**
 * The day's calls, counted here because no header tells them, and kept over a restart.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { dayMs } from './day.ts';
import type { Urgency } from './demand.ts';
import type { DayReport } from './shared-quota.ts';

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
  /** Calls among them that this process has made. */
  #own = 0;
  /** What may be spent without the others: a part of what was left when they were lost. */
  #alone: { readonly from: number; readonly instances: number } | undefined;
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
    const used = this.used(nowMs);
    const left = Math.max(0, this.#options.perDay - used);
    if (!this.#alone) return left;
    const { from, instances } = this.#alone;
    const own = Math.ceil((this.#options.perDay - from) / instances) - (used - from);
    return Math.max(0, Math.min(left, own));
  }

  /** Whether a call of this urgency may still be made today. */
  allows(urgency: Urgency, nowMs: number): boolean {
    return this.left(nowMs) > this.keptFrom(urgency) / (this.#alone?.instances ?? 1);
  }

  /** Calls of the day that a demand of this urgency must leave to others. */
  keptFrom(urgency: Urgency): number {
    return urgency === 'interactive' ? 0 : (this.#options.perDay * this.#options.reserve) / 100;
  }

  /** Whether more than half is left of what should be, had the day been spent evenly. */
  isAmple(nowMs: number): boolean {
    const restOfDay = 1 - (nowMs % dayMs) / dayMs;
    return this.left(nowMs) > (this.#options.perDay * restOfDay) / 2;
  }

  /** Counts a call. It is written down before the call is made, so that a crash loses none. */
  spend(nowMs: number): void {
    this.#turn(nowMs);
    this.#own++;
    this.#countTo(this.#calls + 1);
  }

  /** What the other instances are to be told. */
  report(nowMs: number): DayReport {
    const known = this.used(nowMs);
    return { day: Math.floor(nowMs / dayMs), own: this.#own, known };
  }

  /** How many calls all instances have made, this one's newest among them or not. */
  reported({ day }: DayReport, used: number, granted = 0): void {
    if (day * dayMs !== Date.parse(this.#day)) return;
    this.#own += granted;
    if (used > this.#calls) this.#countTo(used);
  }

  /** From now on the other instances cannot be asked: this one may spend its part of what is left. */
  divide(nowMs: number, instances: number): void {
    this.#alone ??= { from: this.used(nowMs), instances };
  }

  /** The other instances can be asked again. */
  unite(): void {
    this.#alone = undefined;
  }

  #countTo(calls: number): void {
    const { perDay } = this.#options;
    for (const percent of thresholds) {
      const mark = Math.ceil((perDay * percent) / 100);
      if (this.#calls < mark && calls >= mark) this.#events.passed(percent);
    }
    this.#calls = calls;
    this.#save();
  }

  #turn(nowMs: number): void {
    const day = dayOf(nowMs);
    // A clock that is set back by a moment does not bring yesterday's calls back.
    if (day <= this.#day) return;
    this.#day = day;
    this.#calls = 0;
    this.#own = 0;
    if (this.#alone) this.#alone = { ...this.#alone, from: 0 };
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
