/**
 * Limits the calls in any second, as the upstream sees it.
 *
 * When a call arrives there is not known here; only when it was started, and when its answer came. What is certain is
 * that it had arrived by the time of its answer, so a second after that its slot is free again. That would cost a
 * fifth of the calls where an answer takes a quarter of a second; but a page that takes longer than the fastest can
 * have lost no more than the difference on its way there. So its slot is free a second after its answer, less the
 * shortest round trip: a steady upstream then costs nothing, and a call that is held up keeps its slot for as long as it
 * must.
 */

/** A second, and what the clocks and timers of two machines may disagree by. */
const windowMs = 1_005;

/** A call that has no answer holds its slot for this long beyond the second; whatever it waits for, it has arrived. */
const longestWayMs = 1_000;

/** For how long a call counts that another instance has made: on its way, and for a second. */
export const othersMs = windowMs + 95;

/** For how long a slot is taken at first, in milliseconds. */
export const holdMs = windowMs + longestWayMs;

/**
 * The shortest round trip that was seen may still have lost this much on its way: a process that has just started needs
 * that long to get a call out, and the next ones go faster.
 */
const doubtMs = 25;

/**
 * Round trips among which the shortest is looked for, and how many of them it takes to believe in it. They have to
 * reach back further than a busy minute, in which every way is long and none is the shortest.
 */
const remembered = 1_000;
const convincing = 16;

/**
 * After the upstream reports its limit: no call for a second or for as long as it asks, then half the rate, raised by one call a
 * second every `recoverEveryMs`.
 */
const pauseMs = 1_000;
const recoverEveryMs = 5_000;

/** What is taken of the whole limit: all of it, or one of `instances` equal parts. */
export interface Fraction {
  readonly instances: number;
  /** Which of them this is, from 0: the first ones get what cannot be divided. */
  readonly rank: number;
}

const whole: Fraction = { instances: 1, rank: 0 };

interface TakenSlot {
  readonly call: string;
  readonly start: number;
  /** Monotonic time from which it may be taken again. */
  freeAt: number;
}

/** A slot that a call takes in the second. */
export interface Slot {
  /** The call has ended. Returns the milliseconds for which its slot still counts. */
  end(now: number, gotPage: boolean): number;
  /** No call was made: the slot is free at once. */
  giveBack(): void;
}

export class SecondLimit {
  readonly #perSecond: number;
  #slots: TakenSlot[] = [];
  readonly #roundTrips: number[] = [];
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #reduced: { readonly to: number; readonly at: number } | undefined;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Calls of all instances that may start in a second at present: fewer than configured after a complaint. */
  limit(now: number): number {
    if (!this.#reduced) return this.#perSecond;
    // During the pause itself nothing has recovered yet.
    const limit = this.#reduced.to + Math.max(0, Math.floor((now - this.#reduced.at) / recoverEveryMs));
    if (limit < this.#perSecond) return limit;
    this.#reduced = undefined;
    return this.#perSecond;
  }

  /** Calls of this instance that may start in its window at present: a second, and longer where there is not one for each. */
  #own(now: number, { instances, rank }: Fraction): { readonly limit: number; readonly windowMs: number } {
    const limit = this.limit(now);
    const own = Math.floor(limit / instances) + (rank < limit % instances ? 1 : 0);
    if (limit >= instances) return { limit: own, windowMs };
    return { limit: 1, windowMs: (windowMs * instances) / limit };
  }

  /** The calls that count, with the milliseconds for which they still do. */
  slots(now: number): { readonly call: string; readonly freeInMs: number }[] {
    this.taken(now);
    return this.#slots.map(({ call, freeAt }) => ({ call, freeInMs: freeAt - now }));
  }

  /** Calls that count at this moment. */
  taken(now: number): number {
    this.#slots = this.#slots.filter(({ freeAt }) => freeAt > now);
    return this.#slots.length;
  }

  /** Milliseconds until a call may start. */
  waitMs(now: number, fraction = whole): number {
    const over = this.taken(now) - this.#own(now, fraction).limit;
    const frees = this.#slots.map(({ freeAt }) => freeAt).sort((a, b) => a - b);
    return Math.max(0, this.pausedMs(now), over < 0 ? 0 : (frees[over] ?? now) - now);
  }

  /** Lets no call start for as long as calls may count of which nothing is known here. */
  waitForOthers(now: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, now + othersMs);
  }

  /** Milliseconds until any call may start, after a complaint or when others have called. */
  pausedMs(now: number): number {
    return Math.max(0, this.#pausedUntil - now);
  }

  /** Milliseconds until a call may start behind `ahead` others, if answers come as fast as they usually do. */
  expectedMs(now: number, ahead: number, fraction = whole): number {
    const { limit, windowMs } = this.#own(now, fraction);
    const taken = this.taken(now);
    const frees = this.#slots.map(({ start, freeAt }) => Math.max(0, Math.min(freeAt, start + windowMs) - now));
    const slots = [...new Array<number>(Math.max(0, limit - taken)).fill(0), ...frees.sort((a, b) => a - b)];
    const slotMs = slots[Math.max(0, taken - limit) + (ahead % limit)] ?? 0;
    return this.pausedMs(now) + slotMs + Math.floor(ahead / limit) * windowMs;
  }

  /** Takes a slot for a call that starts now. */
  take(now: number, call = '', fraction = whole): Slot {
    const { windowMs } = this.#own(now, fraction);
    const slot: TakenSlot = { call, start: now, freeAt: now + windowMs + longestWayMs };
    this.#slots.push(slot);
    return {
      end: (endedAt, gotPage) => {
        // What is refused is answered faster than a page, which says nothing about the way.
        const shortest = gotPage ? this.#shortestRoundTrip(endedAt - now) : 0;
        slot.freeAt = Math.min(slot.freeAt, endedAt - shortest + windowMs);
        return slot.freeAt - endedAt;
      },
      giveBack: () => {
        this.#slots = this.#slots.filter((one) => one !== slot);
      },
    };
  }

  #shortestRoundTrip(latest: number): number {
    this.#roundTrips.push(latest);
    if (this.#roundTrips.length > remembered) this.#roundTrips.shift();
    return this.#roundTrips.length < convincing ? 0 : Math.max(0, Math.min(...this.#roundTrips) - doubtMs);
  }

  /** The upstream says that it was called too often: somebody else shares the key. */
  complain(now: number, atLeastMs = 0): void {
    // Calls of one burst are refused one after the other: they are one complaint.
    const known = this.#reduced && now < this.#reduced.at ? this.#reduced.to : undefined;
    this.#pausedUntil = Math.max(this.#pausedUntil, now + Math.max(pauseMs, atLeastMs));
    this.#reduced = { to: known ?? Math.max(1, Math.floor(this.limit(now) / 2)), at: this.#pausedUntil };
  }
}
