/**
 * Limits the calls in any second, as the upstream sees it.
 *
 * The arrival time of a call at the upstream is unknown; only its start and its response are. It has certainly arrived by its
 * response, so its slot could be free a second later. With responses of 250 ms that would cost a fifth of the rate. But a
 * call slower than the fastest can have lost at most the difference on its way there. So a slot is free one second after the
 * response, minus the shortest round trip: a steady upstream loses nothing, and a delayed call keeps its slot as long as
 * necessary.
 */

/** One second, plus tolerance for clocks and timers of two machines. */
const windowMs = 1_005;

/** A call without a response keeps its slot this long beyond the second; by then it has arrived. */
const longestWayMs = 1_000;

/** How long another instance's call counts: its way there, and a second. */
export const othersMs = windowMs + 95;

/** Initial life of a slot, in milliseconds. */
export const holdMs = windowMs + longestWayMs;

/**
 * Even the shortest round trip may have lost this much on its way: a fresh process needs it for its first call, and later
 * calls are faster.
 */
const doubtMs = 25;

/**
 * Round trips among which the shortest is found, and how many it takes to rely on it. They must reach beyond a busy minute in
 * which every call is slow.
 */
const remembered = 1_000;
const convincing = 16;

/**
 * After the upstream reports its limit: a pause of one second or as long as it asks, then half the rate, plus one call a
 * second every `recoverEveryMs`.
 */
const pauseMs = 1_000;
const recoverEveryMs = 5_000;

/** Fraction of the limit: one of `instances` equal parts. */
export interface Fraction {
  readonly instances: number;
  /** Index from 0; the first ones get the remainder. */
  readonly rank: number;
}

const whole: Fraction = { instances: 1, rank: 0 };

interface TakenSlot {
  readonly call: string;
  readonly start: number;
  /** Monotonic time from which the slot is free. */
  freeAt: number;
}

/** A call's slot in the second. */
export interface Slot {
  /** Ends the call. Returns the milliseconds that its slot still counts. */
  end(now: number, gotPage: boolean): number;
  /** Frees the slot at once: no call was made. */
  giveBack(): void;
}

export class SecondLimit {
  #perSecond: number;
  #slots: TakenSlot[] = [];
  readonly #roundTrips: number[] = [];
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #reduced: { readonly to: number; readonly at: number } | undefined;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Changes the limit. A reduced one goes on recovering. */
  set perSecond(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Current limit for all instances; below the configured one after a complaint. */
  limit(now: number): number {
    if (!this.#reduced) return this.#perSecond;
    // The rate recovers only after the pause.
    const limit = this.#reduced.to + Math.max(0, Math.floor((now - this.#reduced.at) / recoverEveryMs));
    if (limit < this.#perSecond) return limit;
    this.#reduced = undefined;
    return this.#perSecond;
  }

  /** Calls a second that this instance may make; less than one if there are more instances than calls. */
  ownLimit(now: number, fraction = whole): number {
    const limit = this.limit(now);
    return limit < fraction.instances ? limit / fraction.instances : this.#own(now, fraction).limit;
  }

  /**
   * This instance's limit and window; the window is longer than a second if there is less than one call for each instance.
   */
  #own(now: number, { instances, rank }: Fraction): { readonly limit: number; readonly windowMs: number } {
    const limit = this.limit(now);
    const own = Math.floor(limit / instances) + (rank < limit % instances ? 1 : 0);
    if (limit >= instances) return { limit: own, windowMs };
    return { limit: 1, windowMs: (windowMs * instances) / limit };
  }

  /** Calls that still count, and for how many milliseconds. */
  slots(now: number): { readonly call: string; readonly freeInMs: number }[] {
    this.taken(now);
    return this.#slots.map(({ call, freeAt }) => ({ call, freeInMs: freeAt - now }));
  }

  /** Number of calls that count now. */
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

  /** Pauses for as long as unknown calls of other instances may count. */
  waitForOthers(now: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, now + othersMs);
  }

  /** Milliseconds left of the pause, after a complaint or for other instances' calls. */
  pausedMs(now: number): number {
    return Math.max(0, this.#pausedUntil - now);
  }

  /** Estimates the milliseconds until a call may start behind `ahead` others, at usual response times. */
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
        // Refusals return faster than pages, and say nothing about the way.
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

  /** Records a complaint of the upstream: another program uses the same key. */
  complain(now: number, atLeastMs = 0): void {
    // Refusals of one burst count as one complaint.
    const known = this.#reduced && now < this.#reduced.at ? this.#reduced.to : undefined;
    this.#pausedUntil = Math.max(this.#pausedUntil, now + Math.max(pauseMs, atLeastMs));
    this.#reduced = { to: known ?? Math.max(1, Math.floor(this.limit(now) / 2)), at: this.#pausedUntil };
  }
}
