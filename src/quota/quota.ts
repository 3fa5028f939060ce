/**
 * All calls to Constant Contact pass through here: within the limits of the second and the day, in fair turns.
 */
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import type { Redis } from '../redis/redis.ts';
import type { StateFile } from '../storage/state-file.ts';
import { DayBudget, type DayBudgetEvents, type DayBudgetOptions, type Now, type TeamDayStatus } from './day-budget.ts';
import { account, partsOf, type TeamShare } from './day-shares.ts';
import { type Demand, type Payer, type Urgency, urgencies } from './demand.ts';
import { FairQueue, type Spot } from './fair-queue.ts';
import { holdMs, SecondLimit, type Share } from './second-limit.ts';
import { SharedQuota, type WaitingFlow } from './shared-quota.ts';

export interface QuotaOptions extends DayBudgetOptions {
  readonly perSecond: number;
  /** The longest wait of a caller for a turn, in milliseconds; longer waits are refused at once. */
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
  readonly teams: readonly TeamDayStatus[];
  readonly queues: readonly { readonly team: string; readonly urgency: Urgency; readonly waiting: number }[];
}

/** A turn that was granted. */
export interface Turn {
  /** The call has ended: with a page, or otherwise. */
  readonly done: (gotPage: boolean) => void;
}

interface Waiter {
  readonly demand: Demand;
  spot: Spot;
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
  readonly #teams: ReadonlyMap<string, TeamShare>;
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
   * @param teams that share it, by name; a team that is not among them is refused; without any, all teams have a weight of 1
   * @param redis what the instances share; undefined where this is the only one
   * @param file in which the day is kept, where it is not this one's alone
   */
  constructor(
    clock: Clock,
    options: QuotaOptions,
    teams: ReadonlyMap<string, TeamShare>,
    events: QuotaEvents,
    redis?: Redis,
    file?: StateFile,
  ) {
    this.#clock = clock;
    this.#options = options;
    this.#teams = teams;
    this.#events = events;
    this.#second = new SecondLimit(options.perSecond);
    const parts = partsOf(options.perDay, teams);
    this.#day = new DayBudget(options, parts, events, clock.now(), file);
    const shared = redis && new SharedQuota(redis, options.perDay, parts);
    this.#shared = shared;
    shared?.listen(
      (inMs) => this.#serveIn(inMs),
      (pauseMs) => this.#second.complain(clock.monotonic(), pauseMs),
    );
    shared?.onUp(() => void this.#settle(shared));
    // What the others have called in the last second still counts.
    shared?.onDown(() => this.#second.waitForOthers(clock.monotonic()));
  }

  /** Demands that wait for their turn. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Whether the account's calls of the day are spent. */
  get isSpent(): boolean {
    return this.#day.left(this.#clock.now()) < 1;
  }

  /** Whether calls may be made that nobody has asked for yet. */
  get isAmple(): boolean {
    return this.#queue.size === 0 && this.#day.isAmple(this.#clock.now());
  }

  status(): QuotaStatus {
    const now = this.#clock.now();
    const queues = [...this.#teams.keys()].flatMap((team) =>
      urgencies.map((urgency) => ({ team, urgency, waiting: this.#queue.sizeOf(`${urgency} ${team}`) })),
    );
    return {
      callsThisSecond: this.#second.taken(this.#clock.monotonic()),
      perSecond: this.#second.limit(this.#clock.monotonic()),
      callsToday: this.#day.used(now),
      leftToday: this.#day.left(now),
      dayEndsAt: new Date(this.#day.endsAt(now)).toISOString(),
      teams: this.#day.teams(now),
      queues,
    };
  }

  /** A client has sent a request: what its team may call in a day is shared with it. */
  seen(team: string, client: string): void {
    this.#day.seen(team, client, this.#clock.monotonic());
  }

  /**
   * Resolves when a call may start, which is then counted.
   *
   * @param waitMs the longest that the demand can wait; only a bulk walk's may wait for longer than `maxWaitMs`
   * @param signal takes it out of the queue, at no cost
   * @throws Problem `upstream-busy`, at once where the turn is known to come too late; `upstream-quota-exhausted`
   * @throws Error for a team that has no share
   */
  async take(demand: Demand, waitMs: number, signal?: AbortSignal): Promise<Turn> {
    signal?.throwIfAborted();
    this.#hasToKnow(demand.team);
    if (!this.#charge(demand)) throw this.#day.refusal(demand, demand.urgency, this.#now());

    const mostMs = demand.urgency === 'bulk' ? waitMs : Math.min(waitMs, this.#options.maxWaitMs);
    const expectedMs = this.#expectedMs(demand);
    if (expectedMs > mostMs || this.#isFullFor(demand)) throw busy(expectedMs);

    return new Promise((resolve, reject) => {
      const startedAt = this.#clock.monotonic();
      const leave = (reason: unknown) => {
        this.#queue.remove(waiter.spot, waiter);
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
        demand.onJoin(undefined);
        signal?.removeEventListener('abort', onAbort);
        this.#events.waited(demand.team, demand.urgency, (this.#clock.monotonic() - startedAt) / 1000);
      };
      const waiter: Waiter = {
        demand,
        spot: this.#spotOf(demand, demand),
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
      demand.onJoin((payer, urgency) => {
        // A caller cannot wait for as long as a bulk walk does.
        if (urgency !== 'bulk' && mostMs > this.#options.maxWaitMs) leaveIn(this.#options.maxWaitMs);
        this.#joined(waiter, payer);
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#queue.add(waiter.spot, waiter);
      this.#serve();
    });
  }

  /**
   * The upstream says that it was called too often.
   *
   * @param pauseMs for how long it asks to be left alone, if for longer than a second
   */
  complain(pauseMs = 0): void {
    this.#second.complain(this.#clock.monotonic(), pauseMs);
    this.#shared?.complain(pauseMs);
  }

  /** Ends every wait: it has become known that the calls would be in vain. */
  refuseWaiting(problem: Problem): void {
    for (const waiter of this.#queue.clear()) waiter.refuse(problem);
    this.#serve();
  }

  close(): void {
    this.#next?.cancel();
  }

  /** A name that is no team's would be counted in Redis, where the other instances cannot read it. */
  #hasToKnow(team: string): void {
    if (this.#teams.size === 0 || team === account || this.#teams.has(team)) return;
    throw new Error('a call was asked for by a team that has no share of the quota');
  }

  #now(): Now {
    return { wall: this.#clock.now(), monotonic: this.#clock.monotonic() };
  }

  /** Has the first of those who want a call pay that may. Returns false when none may. */
  #charge(demand: Demand): boolean {
    const now = this.#now();
    const payer = demand.payers.find((one) => this.#day.allows(one, demand.urgency, now));
    if (payer && payer !== demand.payers[0]) demand.charge(payer);
    return payer !== undefined;
  }

  #spotOf({ urgency }: Demand, { team, client = '' }: Payer): Spot {
    const weight = urgencyWeight[urgency] * (this.#teams.get(team)?.weight ?? 1);
    return { flow: `${urgency} ${team}`, weight, member: client };
  }

  /** Whether a flow holds all that it may; its last place is kept for another client than the one that has all others. */
  #isFullFor(demand: Demand): boolean {
    const { flow, member } = this.#spotOf(demand, demand);
    const waiting = this.#queue.sizeOf(flow);
    const hasAll = member !== '' && waiting > 0 && this.#queue.sizeOf(flow, member) === waiting;
    return waiting >= this.#options.maxQueue - (hasAll ? 1 : 0);
  }

  /** The part that this instance takes; undefined while it shares, or is the only one. */
  get #shareAlone(): Share | undefined {
    return this.#shared?.isUp === false ? this.#shared.share : undefined;
  }

  #expectedMs(demand: Demand): number {
    const spot = this.#spotOf(demand, demand);
    // While something waits here it is heard anew every second; what is older says nothing any more.
    const isKnown = this.#clock.monotonic() - this.#elsewhere.at < 2 * announceEveryMs;
    const isCrowded = isKnown && this.#elsewhere.flows.length > 0;
    const ahead = isCrowded ? this.#aheadOfAll(spot) : this.#queue.ahead(spot);
    return this.#second.expectedMs(this.#clock.monotonic(), ahead, this.#shareAlone);
  }

  /** The same as the queue's `ahead`, among all instances, whose flows advance in proportion to their weights. */
  #aheadOfAll(spot: Spot): number {
    const sizes = new Map<string, { weight: number; waiting: number }>();
    const here = this.#queue.waiting().map(({ name, weight, size }) => ({ name, weight, waiting: size }));
    for (const { name, weight, waiting } of [...here, ...this.#elsewhere.flows]) {
      sizes.set(name, { weight, waiting: waiting + (sizes.get(name)?.waiting ?? 0) });
    }
    const elsewhere = (sizes.get(spot.flow)?.waiting ?? 0) - this.#queue.sizeOf(spot.flow);
    const own = this.#queue.aheadInFlow(spot) + elsewhere;
    sizes.delete(spot.flow);
    return [...sizes.values()].reduce(
      (ahead, other) => ahead + Math.min(other.waiting, Math.floor(((own + 1) * other.weight) / spot.weight)),
      own,
    );
  }

  /** Another one wants the same call. Where it would have it sooner by itself, it has it so, and pays. */
  #joined(waiter: Waiter, payer: Payer): void {
    const { demand, spot } = waiter;
    const its = this.#spotOf(demand, payer);
    const isSooner = () => this.#queue.ahead(its) < this.#queue.ahead(spot, waiter);
    if (demand.payers[0] !== payer && isSooner() && this.#day.allows(payer, demand.urgency, this.#now())) {
      demand.charge(payer);
    }
    const present = this.#spotOf(demand, demand);
    if ((present.flow === spot.flow && present.member === spot.member) || !this.#queue.remove(spot, waiter)) return;
    waiter.spot = present;
    this.#queue.add(present, waiter);
    this.#serve();
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
      if (!this.#charge(waiter.demand)) {
        this.#refuse(waiter);
        continue;
      }
      this.#day.spend(waiter.demand, this.#clock.now());
      this.#calledUnseen = true;
      waiter.grant(this.#turn(shared?.newCall() ?? ''));
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
    this.#refuseSpent();
    const now = this.#clock.now();
    const day = this.#day.report(now);
    const flows = this.#queue.waiting().map(({ name, weight, size }) => ({
      ...{ name, weight, waiting: size },
      kept: this.#day.keptFrom(urgencyOf(name)),
    }));
    const question = {
      ...{ flows, day },
      perSecond: this.#second.limit(this.#clock.monotonic()),
      aloneMs: this.#second.waitMs(this.#clock.monotonic(), shared.share),
    };
    const own = flows.reduce((sum, { waiting }) => sum + waiting, 0);
    this.#isAnnounced = own > 0;
    const ruling = await shared.ask(question, holdMs);
    if (!ruling) return shared.isUp ? askAgainMs : undefined;
    const team = ruling.kind === 'granted' ? teamOf(ruling.flow) : undefined;
    this.#day.reported(day, ruling.teams, team, this.#clock.now());
    this.#day.unite();
    if (ruling.kind === 'granted') {
      this.#isAnnounced = own > 1;
      const waiter = this.#queue.nextOf(ruling.flow);
      if (waiter) {
        this.#day.charge(waiter.demand);
        waiter.grant(this.#turn(ruling.call));
      } else {
        this.#day.giveBack(teamOf(ruling.flow));
        shared.giveBack(ruling.call, teamOf(ruling.flow), this.#day.report(this.#clock.now()));
      }
      return 0;
    }
    this.#elsewhere = { flows: ruling.elsewhere, at: this.#clock.monotonic() };
    this.#refuseSpent();
    return ruling.ms;
  }

  /** Refuses those for whom nothing is left of the day, unless another one who wants the same may pay. */
  #refuseSpent(): void {
    for (const spot of this.#queue.spots()) {
      const urgency = urgencyOf(spot.flow);
      const payer = { team: teamOf(spot.flow), client: spot.member || undefined };
      if (this.#day.allows(payer, urgency, this.#now())) continue;
      for (const waiter of this.#queue.itemsOf(spot)) {
        this.#queue.remove(spot, waiter);
        if (this.#charge(waiter.demand)) {
          waiter.spot = this.#spotOf(waiter.demand, waiter.demand);
          this.#queue.add(waiter.spot, waiter);
        } else this.#refuse(waiter);
      }
    }
  }

  #refuse({ demand, refuse }: Waiter): void {
    refuse(this.#day.refusal(demand, demand.urgency, this.#now()));
  }

  #goAlone(shared: SharedQuota): void {
    this.#elsewhere = { flows: [], at: 0 };
    this.#day.divide(this.#clock.now(), shared.share);
  }

  async #settle(shared: SharedQuota): Promise<void> {
    const day = this.#day.report(this.#clock.now());
    const teams = await shared.settle(this.#second.places(this.#clock.monotonic()), this.#calledUnseen, day);
    if (!teams) return;
    this.#day.reported(day, teams, undefined, this.#clock.now());
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
const teamOf = (flow: string) => flow.slice(flow.indexOf(' ') + 1);

function busy(expectedMs: number): Problem {
  return new Problem('upstream-busy', {
    retryAfterSeconds: Math.max(1, Math.ceil(expectedMs / 1000)),
    reason: 'queue',
  });
}
