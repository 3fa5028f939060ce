/**
 * This instance's fraction of the quota as kept across restarts: a part of the state file. While Redis is down, a restarted instance
 * cannot see the others, and would take all of the quota.
 */
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { Kept, Part } from '../storage/state-file.ts';
import { dayMs } from './day.ts';
import type { Fraction } from './second-limit.ts';

/** A fraction, and when the instances were last seen. */
export interface StoredFraction extends Fraction {
  readonly seenAt: string;
}

/** After which a kept fraction no longer counts: Redis has been down for so long that the others may be gone for good. */
const lifeMs = 7 * dayMs;
/** How often it is written. Other instances that restart one after the other are not gone: fewer of them count only then. */
const keepEveryMs = 3_600_000;

const never: StoredFraction = { instances: 1, rank: 0, seenAt: new Date(0).toISOString() };

const stored = z
  .object({ instances: z.int().positive().max(100), rank: z.int().nonnegative(), seenAt: z.iso.datetime() })
  .refine(({ instances, rank }) => rank < instances);

/** What is unreadable is no fraction, and no error: its log line would say that the day's count is lost. */
export const fractionPart: Part<StoredFraction> = {
  members: ['fraction'],
  parse: ({ fraction }) => stored.catch(never).parse(fraction),
  serialise: (fraction) => ({ fraction }),
};

export class KeptFraction {
  /** The fraction to start with, until Redis is seen. */
  readonly last: Fraction;
  readonly #clock: Clock;
  readonly #kept: Kept<StoredFraction>;
  #stored: StoredFraction;

  constructor(clock: Clock, kept: Kept<StoredFraction>) {
    this.#clock = clock;
    this.#kept = kept;
    this.#stored = kept.stored ?? never;
    this.last = this.#ageMs <= lifeMs ? this.#stored : never;
  }

  /** Keeps what Redis says now. */
  seen({ instances, rank }: Fraction): void {
    const { instances: before, rank: rankBefore } = this.#stored;
    const isNew = instances > before || (instances === before && rank !== rankBefore);
    if (!isNew && this.#ageMs < keepEveryMs) return;
    this.#stored = { instances, rank, seenAt: new Date(this.#clock.now()).toISOString() };
    void this.#kept.keep(this.#stored);
  }

  /** Of a clock that was set back, too. */
  get #ageMs(): number {
    return Math.abs(this.#clock.now() - Date.parse(this.#stored.seenAt));
  }
}
