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
import { holdMs, SecondLimit, type Share } from './second-limit.ts';
import type { SharedQuota, WaitingFlow } from './shared-quota.ts';

export interface QuotaOptions extends DayBudgetOptions {
  readonly perSecond: number;
  /** The longest wait of a caller for a turn, in milliseconds; whoever would wait longer is told at once. */
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

/** After an answer of Redis that was late. */
const askAgainMs = 20;
/** What waits is made known to the other instances this often, or they forget it. */
const announceEveryMs = 1_000;

export class Quota {
  readonly #clock: Clock;
  readonly #options: QuotaOptions;
  readonly #events: QuotaEvents;
  readonly #weights: ReadonlyMap<string, number>;
  readonly #queue = new FairQueue<Waiter>();
  readonly #second: SecondLimit;
  readonly #day: DayBudget;
  readonly #shared: SharedQuota | undefined;
  /** What waits in the other instances, and when that was heard. */
  #elsewhere: { readonly flows: readonly WaitingFlow[]; readonly at: number } = { flows: [], at: 0 };
  #isAsking = false;
  #askAgain = false;
  /** Whether the other instances believe that something waits here. */
  #isAnnounced = false;
  /** Whether calls were made of which the other instances may not know. */
  #calledUnseen = false;
  #next: { readonly at: number; readonly cancel: () => void } | undefined;

  /**
   * @param weights of the teams, by name; 1 for those that are not in it
   * @param shared the quota of all instances; undefined where this is the only one
   */
  constructor(
    clock: Clock,
    options: QuotaOptions,
    weights: ReadonlyMap<string, number>,
    events: QuotaEvents,
    shared?: SharedQuota,
  ) {
    this.#clock = clock;
    this.#options = options;
    this.#weights = weights;
    this.#events = events;
    this.#second = new SecondLimit(options.perSecond);
    this.#day = new DayBudget(options, events, clock.now());
    this.#shared = shared;
    shared?.listen(
      (inMs) => this.#serveIn(inMs),
      () => this.#second.complain(clock.monotonic()),
    );
    shared?.onUp(() => void this.#settle(shared));
    // What the others have called in the last second still counts.
    shared?.onDown(() => this.#second.waitForOthers(clock.monotonic()));
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
   * @param waitMs how long the demand can wait at the most; only a bulk walk's may wait for longer than `maxWaitMs`
   * @param signal takes it out of the queue, at no cost
   * @throws Problem `upstream-busy`, at once where the turn is known to come too late; `upstream-quota-exhausted`
   */
  async take(demand: Demand, waitMs: number, signal?: AbortSignal): Promise<Turn> {
    signal?.throwIfAborted();
    const now = this.#clock.now();
    if (!this.#day.allows(demand.urgency, now)) throw quotaExhausted(now);

    const mostMs = demand.urgency === 'bulk' ? waitMs : Math.min(waitMs, this.#options.maxWaitMs);
    const { flow, weight } = this.#flowOf(demand);
    const expectedMs = this.#expectedMs(demand);
    if (expectedMs > mostMs || this.#queue.sizeOf(flow) >= this.#options.maxQueue) throw busy(expectedMs);

    return new Promise((resolve, reject) => {
      const startedAt = this.#clock.monotonic();
      const leave = (reason: unknown) => {
        this.#queue.remove(waiter.flow, waiter);
        settle();
        reject(reason);
        this.#serve();
      };
      const onAbort = () => leave(signal?.reason);
      let cancelDeadline = () => {};
      const leaveIn = (ms: number) => {
        cancelDeadline();
        cancelDeadline = this.#clock.after(ms, () => leave(busy(this.#expectedMs(demand))));
      };
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
      leaveIn(mostMs);
      demand.onRaise(() => {
        // Whoever has come to want a bulk walk's page is in more of a hurry.
        if (mostMs > this.#options.maxWaitMs) leaveIn(this.#options.maxWaitMs);
        this.#move(waiter);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#queue.add(flow, weight, waiter);
      this.#serve();
    });
  }

  /** The upstream says that it was called too often. */
  complain(): void {
    this.#second.complain(this.#clock.monotonic());
    this.#shared?.complain();
  }

  /** Ends every wait: it has become known that the calls would be in vain. */
  refuseWaiting(problem: Problem): void {
    for (const waiter of this.#queue.clear()) waiter.refuse(problem);
    this.#serve();
  }

  close(): void {
    this.#next?.cancel();
  }

  #flowOf({ team, urgency }: Demand) {
    return { flow: `${urgency} ${team}`, weight: urgencyWeight[urgency] * (this.#weights.get(team) ?? 1) };
  }

  /** The part that this instance takes; undefined while it shares, or is the only one. */
  get #shareAlone(): Share | undefined {
    return this.#shared?.isUp === false ? this.#shared.share : undefined;
  }

  #expectedMs(demand: Demand): number {
    const { flow, weight } = this.#flowOf(demand);
    // While something waits here it is heard anew every second; what is older says nothing any more.
    const isKnown = this.#clock.monotonic() - this.#elsewhere.at < 2 * announceEveryMs;
    const isCrowded = isKnown && this.#elsewhere.flows.length > 0;
    const ahead = isCrowded ? this.#aheadOfAll(flow, weight) : this.#queue.ahead(flow, weight);
    return this.#second.expectedMs(this.#clock.monotonic(), ahead, this.#shareAlone);
  }

  /** The same as the queue's `ahead`, among all instances, whose flows advance in proportion to their weights. */
  #aheadOfAll(flow: string, weight: number): number {
    const sizes = new Map<string, { weight: number; waiting: number }>();
    const here = this.#queue.waiting().map(({ name, weight, size }) => ({ name, weight, waiting: size }));
    for (const { name, weight, waiting } of [...here, ...this.#elsewhere.flows]) {
      sizes.set(name, { weight, waiting: waiting + (sizes.get(name)?.waiting ?? 0) });
    }
    const own = sizes.get(flow)?.waiting ?? 0;
    sizes.delete(flow);
    return [...sizes.values()].reduce(
      (ahead, other) => ahead + Math.min(other.waiting, Math.floor(((own + 1) * other.weight) / weight)),
      own,
    );
  }

  #move(waiter: Waiter): void {
    if (!this.#queue.remove(waiter.flow, waiter)) return;
    const { flow, weight } = this.#flowOf(waiter.demand);
    waiter.flow = flow;
    this.#queue.add(flow, weight, waiter);
  }

  readonly #serve = (): void => {
    if (this.#shared?.isUp) void this.#serveShared(this.#shared);
    else this.#serveAlone();
  };

  /** Unless it is done earlier anyway. */
  #serveIn(ms: number): void {
    const at = this.#clock.monotonic() + ms;
    if (this.#next && this.#next.at <= at) return;
    this.#next?.cancel();
    const cancel = this.#clock.after(ms, () => {
      this.#next = undefined;
      this.#serve();
    });
    this.#next = { at, cancel };
  }

  #serveAlone(): void {
    const shared = this.#shared;
    if (shared) this.#goAlone(shared);
    while (this.#queue.size > 0) {
      const waitMs = this.#second.waitMs(this.#clock.monotonic(), shared?.share);
      if (waitMs > 0) {
        this.#serveIn(waitMs);
        return;
      }
      const waiter = this.#queue.next();
      if (!waiter) return;
      const now = this.#clock.now();
      if (this.#day.allows(waiter.demand.urgency, now)) {
        this.#day.spend(now);
        this.#calledUnseen = true;
        waiter.grant(this.#turn(shared?.newCall() ?? ''));
      } else {
        waiter.refuse(quotaExhausted(now));
      }
    }
  }

  /** Asks for turns, one after the other, as long as there are some to be had. */
  async #serveShared(shared: SharedQuota): Promise<void> {
    this.#askAgain = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      while (this.#askAgain && (this.#queue.size > 0 || this.#isAnnounced)) {
        const pausedMs = this.#second.pausedMs(this.#clock.monotonic());
        if (pausedMs > 0) return this.#serveIn(pausedMs);
        this.#askAgain = false;
        const waitMs = await this.#askOnce(shared);
        if (waitMs === undefined) return this.#serveAlone();
        if (waitMs === 0) this.#askAgain = true;
        else if (!this.#askAgain) return this.#serveIn(Math.min(waitMs, announceEveryMs));
      }
    } finally {
      this.#isAsking = false;
    }
  }

  /** Returns the milliseconds until it is worth asking again, or undefined when a turn has to be had without asking. */
  async #askOnce(shared: SharedQuota): Promise<number | undefined> {
    const now = this.#clock.now();
    const day = this.#day.report(now);
    const flows = this.#queue.waiting().map(({ name, weight, size }) => ({
      ...{ name, weight, waiting: size },
      kept: this.#day.keptFrom(urgencyOf(name)),
    }));
    const question = {
      ...{ flows, day, perDay: this.#options.perDay },
      perSecond: this.#second.limit(this.#clock.monotonic()),
      aloneMs: this.#second.waitMs(this.#clock.monotonic(), shared.share),
    };
    const own = flows.reduce((sum, { waiting }) => sum + waiting, 0);
    this.#isAnnounced = own > 0;
    const ruling = await shared.ask(question, holdMs);
    if (!ruling) return shared.isUp ? askAgainMs : undefined;
    this.#day.reported(day, ruling.used, ruling.kind === 'granted' ? 1 : 0);
    this.#day.unite();
    if (ruling.kind === 'granted') {
      this.#isAnnounced = own > 1;
      const waiter = this.#queue.nextOf(ruling.flow);
      if (waiter) waiter.grant(this.#turn(ruling.call));
      else shared.giveBack(ruling.call, this.#day.report(this.#clock.now()));
      return 0;
    }
    this.#elsewhere = { flows: ruling.elsewhere, at: this.#clock.monotonic() };
    this.#refuseSpent();
    return ruling.ms;
  }

  /** Those for whom nothing is left of the day. */
  #refuseSpent(): void {
    const now = this.#clock.now();
    for (const { name } of this.#queue.waiting()) {
      if (this.#day.allows(urgencyOf(name), now)) continue;
      for (let waiter = this.#queue.nextOf(name); waiter; waiter = this.#queue.nextOf(name)) {
        waiter.refuse(quotaExhausted(now));
      }
    }
  }

  #goAlone(shared: SharedQuota): void {
    this.#elsewhere = { flows: [], at: 0 };
    this.#day.divide(this.#clock.now(), shared.share.instances);
  }

  async #settle(shared: SharedQuota): Promise<void> {
    const day = this.#day.report(this.#clock.now());
    const used = await shared.settle(this.#second.places(this.#clock.monotonic()), this.#calledUnseen, day);
    if (used === undefined) return;
    this.#day.reported(day, used);
    this.#calledUnseen = false;
    this.#day.unite();
    this.#serve();
  }

  #turn(call: string): Turn {
    const ended = this.#second.take(this.#clock.monotonic(), call, this.#shareAlone);
    return {
      done: (gotPage) => {
        const freeInMs = ended(this.#clock.monotonic(), gotPage);
        this.#shared?.ended({ call, freeInMs });
        this.#serve();
      },
    };
  }
}

const urgencyOf = (flow: string) => flow.slice(0, flow.indexOf(' ')) as Urgency;

function busy(expectedMs: number): Problem {
  return new Problem('upstream-busy', {
    retryAfterSeconds: Math.max(1, Math.ceil(expectedMs / 1000)),
    reason: 'queue',
  });
}
