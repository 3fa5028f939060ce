/**
 * All calls to Constant Contact pass through here: within the limits of the second and of the day, in fair order.
 */
import type { Clock } from '../clock.ts';
import type { Problem } from '../problems.ts';
import type { Redis } from '../redis/redis.ts';
import type { Kept } from '../storage/state-file.ts';
import { DayBudget, type DayBudgetOptions } from './day-budget.ts';
import { account, partsOf, type TeamShare } from './day-shares.ts';
import type { DayBudgetEvents, TeamDayStatus } from './day-status.ts';
import { type Demand, type Urgency, urgencies } from './demand.ts';
import { LocalPermits } from './local-permits.ts';
import type { Permit, Permits } from './permits.ts';
import { RedisPermits } from './redis-permits.ts';
import { Scheduler, type SchedulerOptions } from './scheduler.ts';
import { SecondLimit } from './second-limit.ts';
import { SharedQuota } from './shared-quota.ts';
import type { StoredDay } from './stored-day.ts';

export interface QuotaOptions extends DayBudgetOptions, SchedulerOptions {
  readonly perSecond: number;
}

export interface QuotaEvents extends DayBudgetEvents {
  /** A wait is over, whatever came of it. */
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

interface Parts {
  readonly clock: Clock;
  /** Teams that share it, by name; a team that is not among them is refused; without any, all teams have a weight of 1. */
  readonly teams: ReadonlyMap<string, TeamShare>;
  readonly events: QuotaEvents;
  /** What the instances share; undefined where this is the only one. */
  readonly redis?: Redis | undefined;
  /** Where the day's count survives a restart; undefined where it does not. */
  readonly keptDay?: Kept<StoredDay> | undefined;
}

export class Quota {
  readonly #clock: Clock;
  readonly #teams: ReadonlyMap<string, TeamShare>;
  readonly #second: SecondLimit;
  readonly #day: DayBudget;
  readonly #scheduler: Scheduler;
  readonly #permits: () => Permits;
  /** Whether calls were made that the other instances may not know. */
  #hasUnseenCalls = false;

  constructor({ clock, teams, events, redis, keptDay }: Parts, options: QuotaOptions) {
    this.#clock = clock;
    this.#teams = teams;
    this.#second = new SecondLimit(options.perSecond);
    const parts = partsOf(options.perDay, teams);
    this.#day = new DayBudget({ parts, events, clock, kept: keptDay }, options);
    const shared = redis && new SharedQuota(redis, options.perDay, parts);
    this.#permits = shared ? this.#sharedPermits(shared) : this.#soloPermits();
    this.#scheduler = new Scheduler(
      {
        ...{ clock, day: this.#day, permits: this.#permits },
        teamWeight: (team) => teams.get(team)?.weight ?? 1,
        waited: (team, urgency, seconds) => events.waited(team, urgency, seconds),
        grantedLocally: () => {
          this.#hasUnseenCalls = true;
        },
      },
      options,
    );
    if (shared) this.#listen(shared);
  }

  /** Demands that wait for a permit. */
  get waiting(): number {
    return this.#scheduler.waiting;
  }

  /** Whether the account's calls of the day are spent. */
  get isSpent(): boolean {
    return this.#day.left(this.#clock.now()) < 1;
  }

  /** Whether calls may be made that nobody has asked for yet. */
  get isAmple(): boolean {
    return this.waiting === 0 && this.#day.isAmple(this.#clock.now());
  }

  status(): QuotaStatus {
    const now = this.#clock.now();
    const queues = [...this.#teams.keys()].flatMap((team) =>
      urgencies.map((urgency) => ({ team, urgency, waiting: this.#scheduler.waitingOf(urgency, team) })),
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
   * @throws Problem `upstream-busy`, at once where the permit is known to come too late; `upstream-quota-exhausted`
   * @throws Error for a team that has no share
   */
  async take(demand: Demand, waitMs: number, signal?: AbortSignal): Promise<Permit> {
    this.#hasToKnow(demand.team);
    return this.#scheduler.take(demand, waitMs, signal);
  }

  /**
   * The upstream says that it was called too often.
   *
   * @param pauseMs for how long it asks to be left alone, if for longer than a second
   */
  complain(pauseMs = 0): void {
    this.#permits().complain(pauseMs);
  }

  /** Ends every wait: it has become known that the calls would be in vain. */
  refuseWaiting(problem: Problem): void {
    this.#scheduler.refuseWaiting(problem);
  }

  close(): void {
    this.#scheduler.close();
  }

  /** A name that is no team's would be counted in Redis, where the other instances cannot read it. */
  #hasToKnow(team: string): void {
    if (this.#teams.size === 0 || team === account || this.#teams.has(team)) return;
    throw new Error('a call was asked for by a team that has no share of the quota');
  }

  #soloPermits(): () => Permits {
    const local = new LocalPermits({ clock: this.#clock, second: this.#second });
    return () => local;
  }

  /** Those of all instances while Redis is up, and this one's fraction of them while it is down. */
  #sharedPermits(shared: SharedQuota): () => Permits {
    const parts = { clock: this.#clock, second: this.#second };
    const common = new RedisPermits({ ...parts, day: this.#day, shared });
    const local = new LocalPermits({
      ...parts,
      fraction: () => shared.fraction,
      nameCall: () => shared.newCall(),
      onEnded: (call, freeInMs) => shared.ended({ call, freeInMs }),
    });
    return () => {
      if (shared.isUp) return common;
      this.#day.divide(this.#clock.now(), shared.fraction);
      return local;
    };
  }

  #listen(shared: SharedQuota): void {
    shared.listen(
      (inMs) => this.#scheduler.serveIn(inMs),
      (pauseMs) => this.#second.complain(this.#clock.monotonic(), pauseMs),
    );
    shared.onUp(() => void this.#settle(shared));
    // What the others have called in the last second still counts.
    shared.onDown(() => this.#second.waitForOthers(this.#clock.monotonic()));
  }

  /** Redis is back: reports what was called meanwhile, and takes over what the others have called. */
  async #settle(shared: SharedQuota): Promise<void> {
    const report = this.#day.report(this.#clock.now());
    const calls = this.#second.slots(this.#clock.monotonic());
    const teams = await shared.settle(calls, this.#hasUnseenCalls, report);
    if (!teams) return;
    this.#day.reported(report, teams, undefined, this.#clock.now());
    this.#hasUnseenCalls = false;
    this.#day.unite();
    this.#scheduler.serve();
  }
}
