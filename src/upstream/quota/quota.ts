/**
 * All calls to Constant Contact pass through here: so many a second, so many a day, in fair turns.
 */
import type { Clock } from '../../clock.ts';
import { Problem } from '../../problems.ts';
import { endOfDay, quotaExhausted } from './day.ts';
import { DayBudget, type DayBudgetEvents, type DayBudgetOptions } from './day-budget.ts';
import type { Demand, Urgency } from './demand.ts';
import { urgencies } from './demand.ts';
import { FairQueue } from './fair-queue.ts';
import { SecondLimit } from './second-limit.ts';

export interface QuotaOptions extends DayBudgetOptions {
  readonly perSecond: number;
  /** The longest wait for a turn, in milliseconds; whoever would wait longer is told at once. */
  readonly maxWaitMs: number;
  /** Demands of one team and urgency that wait at the same time. */
  readonly maxQueue: number;
}

export interface QuotaEvents extends DayBudgetEvents {
  waited(team: string, urgency: Urgency, seconds: number): void;
}

/** What can be seen of it. Times in milliseconds of wall time. */
export interface QuotaStatus {
  readonly callsThisSecond: number;
  readonly perSecond: number;
  readonly callsToday: number;
  readonly leftToday: number;
  readonly dayEndsAt: string;
  readonly queues: readonly { readonly team: string; readonly urgency: Urgency; readonly waiting: number }[];
}

/** A turn that was granted. */
export interface Turn {
  /** The call has ended: with a page, or otherwise. */
  readonly done: (gotPage: boolean) => void;
}

interface Waiter {
  readonly demand: Demand;
  flow: string;
  readonly grant: (turn: Turn) => void;
  readonly refuse: (problem: Problem) => void;
}

/** Turns of the more urgent for one of the less urgent, while both want some: somebody's wait comes first, none starves. */
const urgencyWeight: Readonly<Record<Urgency, number>> = { interactive: 16, refresh: 3, bulk: 1 };

export class Quota {
  readonly #clock: Clock;
  readonly #options: QuotaOptions;
  readonly #events: QuotaEvents;
  readonly #weights: ReadonlyMap<string, number>;
  readonly #queue = new FairQueue<Waiter>();
  readonly #second: SecondLimit;
  readonly #day: DayBudget;
  #cancelTimer: (() => void) | undefined;

  /** @param weights of the teams, by name; 1 for those that are not in it */
  constructor(clock: Clock, options: QuotaOptions, weights: ReadonlyMap<string, number>, events: QuotaEvents) {
    this.#clock = clock;
    this.#options = options;
    this.#weights = weights;
    this.#events = events;
    this.#second = new SecondLimit(options.perSecond);
    this.#day = new DayBudget(options, events, clock.now());
  }

  /** Demands that wait for their turn. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Whether no call may be made any more today. */
  get isSpent(): boolean {
    return !this.#day.allows('interactive', this.#clock.now());
  }

  /** Whether calls may be made that nobody has asked for yet. */
  get isAmple(): boolean {
    return this.#queue.size === 0 && this.#day.isAmple(this.#clock.now());
  }

  status(): QuotaStatus {
    const now = this.#clock.now();
    const queues = [...this.#weights.keys()].flatMap((team) =>
      urgencies.map((urgency) => ({ team, urgency, waiting: this.#queue.sizeOf(`${urgency} ${team}`) })),
    );
    return {
      callsThisSecond: this.#second.taken(this.#clock.monotonic()),
      perSecond: this.#second.limit(this.#clock.monotonic()),
      callsToday: this.#day.used(now),
      leftToday: this.#day.left(now),
      dayEndsAt: new Date(endOfDay(now)).toISOString(),
      queues,
    };
  }

  /**
   * Resolves when a call may start, which is then counted.
   *
   * @param waitMs how long the demand can wait at the most
   * @param signal takes it out of the queue, at no cost
   * @throws Problem `upstream-busy`, at once where the turn is known to come too late; `upstream-quota-exhausted`
   */
  async take(demand: Demand, waitMs: number, signal?: AbortSignal): Promise<Turn> {
    signal?.throwIfAborted();
    const now = this.#clock.now();
    if (!this.#day.allows(demand.urgency, now)) throw quotaExhausted(now);

    const mostMs = Math.min(waitMs, this.#options.maxWaitMs);
    const { flow, weight } = this.#flowOf(demand);
    const expectedMs = this.#expectedMs(demand);
    if (expectedMs > mostMs || this.#queue.sizeOf(flow) >= this.#options.maxQueue) throw busy(expectedMs);

    return new Promise((resolve, reject) => {
      const startedAt = this.#clock.monotonic();
      const leave = (reason: unknown) => {
        this.#queue.remove(waiter.flow, waiter);
        settle();
        reject(reason);
      };
      const onAbort = () => leave(signal?.reason);
      const cancelDeadline = this.#clock.after(mostMs, () => leave(busy(this.#expectedMs(demand))));
      const settle = () => {
        cancelDeadline();
        demand.onRaise(undefined);
        signal?.removeEventListener('abort', onAbort);
        this.#events.waited(demand.team, demand.urgency, (this.#clock.monotonic() - startedAt) / 1000);
      };
      const waiter: Waiter = {
        demand,
        flow,
        grant: (turn) => {
          settle();
          resolve(turn);
        },
        refuse: (problem) => {
          settle();
          reject(problem);
        },
      };
      demand.onRaise(() => this.#move(waiter));
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#queue.add(flow, weight, waiter);
      this.#serve();
    });
  }

  /** The upstream says that it was called too often. */
  complain(): void {
    this.#second.complain(this.#clock.monotonic());
  }

  /** Ends every wait: it has become known that the calls would be in vain. */
  refuseWaiting(problem: Problem): void {
    for (const waiter of this.#queue.clear()) waiter.refuse(problem);
  }

  close(): void {
    this.#cancelTimer?.();
  }

  #flowOf({ team, urgency }: Demand) {
    return { flow: `${urgency} ${team}`, weight: urgencyWeight[urgency] * (this.#weights.get(team) ?? 1) };
  }

  #expectedMs(demand: Demand): number {
    const { flow, weight } = this.#flowOf(demand);
    return this.#second.expectedMs(this.#clock.monotonic(), this.#queue.ahead(flow, weight));
  }

  #move(waiter: Waiter): void {
    if (!this.#queue.remove(waiter.flow, waiter)) return;
    const { flow, weight } = this.#flowOf(waiter.demand);
    waiter.flow = flow;
    this.#queue.add(flow, weight, waiter);
  }

  readonly #serve = (): void => {
    while (this.#queue.size > 0) {
      const waitMs = this.#second.waitMs(this.#clock.monotonic());
      if (waitMs > 0) {
        this.#cancelTimer?.();
        this.#cancelTimer = this.#clock.after(waitMs, this.#serve);
        return;
      }
      const waiter = this.#queue.next();
      if (!waiter) return;
      const now = this.#clock.now();
      if (this.#day.allows(waiter.demand.urgency, now)) {
        this.#day.spend(now);
        waiter.grant(this.#turn());
      } else {
        waiter.refuse(quotaExhausted(now));
      }
    }
  };

  #turn(): Turn {
    const ended = this.#second.take(this.#clock.monotonic());
    return {
      done: (gotPage) => {
        ended(this.#clock.monotonic(), gotPage);
        this.#serve();
      },
    };
  }
}

function busy(expectedMs: number): Problem {
  return new Problem('upstream-busy', {
    retryAfterSeconds: Math.max(1, Math.ceil(expectedMs / 1000)),
    reason: 'queue',
  });
}
