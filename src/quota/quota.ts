/**
 * The quota: every call to Constant Contact takes a permit here, within the limits of the second and the day, in fair order.
 */
import type { Clock } from '../clock.ts';
import type { Problem } from '../problems.ts';
import type { Redis } from '../redis/redis.ts';
import type { Kept } from '../storage/state-file.ts';
import { DayBudget, type DayBudgetOptions } from './day-budget.ts';
import { account, partsOf, type TeamShare } from './day-shares.ts';
import type { DayBudgetEvents, DayCalls, TeamDayStatus } from './day-status.ts';
import { type Demand, type Urgency, urgencies } from './demand.ts';
import { LocalPermits } from './local-permits.ts';
import type { GrantedPermit, Permits } from './permits.ts';
import { RedisPermits } from './redis-permits.ts';
import { Scheduler, type SchedulerOptions } from './scheduler.ts';
import { type Fraction, SecondLimit } from './second-limit.ts';
import { SharedQuota } from './shared-quota.ts';
import type { StoredDay } from './stored-day.ts';

export interface QuotaOptions extends DayBudgetOptions, SchedulerOptions {
  readonly perSecond: number;
}

export interface QuotaEvents extends DayBudgetEvents {
  /** A wait ended, with any outcome. */
  waited(team: string, urgency: Urgency, seconds: number): void;
}

/** Public state of the quota. */
export interface QuotaStatus {
  /** Calls of this instance. */
  readonly callsThisSecond: number;
  /** While Redis is down, this instance's fraction of the limit. */
  readonly perSecond: number;
  readonly callsToday: number;
  /** While Redis is down, of this instance's fraction. */
  readonly leftToday: number;
  readonly dayEndsAt: string;
  readonly teams: readonly TeamDayStatus[];
  readonly queues: readonly { readonly team: string; readonly urgency: Urgency; readonly waiting: number }[];
}

interface Parts {
  readonly clock: Clock;
  /** Teams by name. Others are refused; if empty, all teams have a weight of 1. */
  readonly teams: ReadonlyMap<string, TeamShare>;
  readonly events: QuotaEvents;
  /** Redis of all instances; undefined for a single one. */
  readonly redis?: Redis | undefined;
  /** Stores the day's count across restarts; undefined to keep it in memory. */
  readonly keptDay?: Kept<StoredDay> | undefined;
}

export class Quota {
  readonly #clock: Clock;
  #teams: ReadonlyMap<string, TeamShare>;
  /** Teams of this and earlier configurations: requests of a removed team are still served. */
  readonly #knownTeams = new Set<string>();
  readonly #second: SecondLimit;
  readonly #day: DayBudget;
  readonly #scheduler: Scheduler;
  readonly #permits: () => Permits;
  readonly #shared: SharedQuota | undefined;
  /** Whether calls were made that other instances have not seen. */
  #hasUnseenCalls = false;

  constructor({ clock, teams, events, redis, keptDay }: Parts, options: QuotaOptions) {
    this.#clock = clock;
    this.#teams = teams;
    this.#know(teams);
    this.#second = new SecondLimit(options.perSecond);
    const parts = partsOf(options.perDay, teams);
    this.#day = new DayBudget({ parts, events, clock, kept: keptDay, instance: redis?.instance }, options);
    const shared = redis && new SharedQuota(redis, options.perDay, parts);
    this.#shared = shared;
    this.#permits = shared ? this.#sharedPermits(shared) : this.#soloPermits();
    this.#scheduler = new Scheduler(
      {
        ...{ clock, day: this.#day, permits: this.#permits },
        teamWeight: (team) => this.#teams.get(team)?.weight ?? 1,
        waited: (team, urgency, seconds) => events.waited(team, urgency, seconds),
        grantedLocally: () => {
          this.#hasUnseenCalls = true;
        },
      },
      options,
    );
    if (shared) this.#listen(shared);
  }

  /** Changes the limits and the teams. Counts and queued demands stay, those of removed teams too. */
  reconfigure(options: QuotaOptions, teams: ReadonlyMap<string, TeamShare>): void {
    const parts = partsOf(options.perDay, teams);
    this.#teams = teams;
    this.#know(teams);
    this.#second.perSecond = options.perSecond;
    this.#day.reconfigure(options, parts, this.#clock.now());
    this.#shared?.reconfigure(options.perDay, parts);
    this.#scheduler.reconfigure(options);
  }

  /** Number of demands queued for a permit. */
  get waiting(): number {
    return this.#scheduler.waiting;
  }

  /** Whether the account's daily quota is spent. */
  get isSpent(): boolean {
    return this.#day.left(this.#clock.now()) < 1;
  }

  /** Whether there is quota to spare for calls ahead of demand. */
  get isAmple(): boolean {
    return this.waiting === 0 && this.#day.isAmple(this.#clock.now());
  }

  status(): QuotaStatus {
    const now = this.#clock.now();
    const queues = [...this.#knownTeams]
      .flatMap((team) =>
        urgencies.map((urgency) => ({ team, urgency, waiting: this.#scheduler.waitingOf(urgency, team) })),
      )
      .filter(({ team, waiting }) => waiting > 0 || this.#teams.has(team));
    return {
      callsThisSecond: this.#second.taken(this.#clock.monotonic()),
      perSecond: this.#second.ownLimit(this.#clock.monotonic(), this.#fraction),
      callsToday: this.#day.used(now),
      leftToday: this.#day.left(now),
      dayEndsAt: new Date(this.#day.endsAt(now)).toISOString(),
      teams: this.#day.teams(now),
      queues,
    };
  }

  /** Returns the calls of today, and of the last day that ended since start. */
  days(): readonly [today: DayCalls, ended?: DayCalls] {
    return this.#day.days(this.#clock.now());
  }

  /** Records a request of a client, which from now on shares its team's day. */
  seen(team: string, client: string): void {
    this.#day.seen(team, client, this.#clock.monotonic());
  }

  /** Resolves when all calls that are counted are stored, or cannot be: a call has to wait for it, so that a crash loses none. */
  get stored(): Promise<void> | undefined {
    return this.#day.stored;
  }

  /**
   * Resolves with a permit when a call may start; the call is counted.
   *
   * @param waitMs longest time to queue; only `bulk` demands may exceed `maxWaitMs`
   * @param signal leaves the queue, at no cost
   * @throws Problem `upstream-busy`, at once if the permit would come too late; `upstream-quota-exhausted`
   * @throws Error for a team without a share
   */
  async take(demand: Demand, waitMs: number, signal?: AbortSignal): Promise<GrantedPermit> {
    this.#hasToKnow(demand.team);
    return this.#scheduler.take(demand, waitMs, signal);
  }

  /**
   * Reports that the upstream was called too often.
   *
   * @param pauseMs pause that the upstream asked for, if longer than a second
   */
  complain(pauseMs = 0): void {
    this.#permits().complain(pauseMs);
  }

  /** Refuses all queued demands: their calls would fail. */
  refuseWaiting(problem: Problem): void {
    this.#scheduler.refuseWaiting(problem);
  }

  close(): void {
    this.#scheduler.close();
  }

  /** While Redis is down, what this instance may use of the limits. */
  get #fraction(): Fraction | undefined {
    return this.#shared && !this.#shared.isUp ? this.#shared.fraction : undefined;
  }

  #know(teams: ReadonlyMap<string, TeamShare>): void {
    for (const team of teams.keys()) this.#knownTeams.add(team);
  }

  /** An unknown name would be counted in Redis, where other instances reject it. */
  #hasToKnow(team: string): void {
    if (this.#teams.size === 0 || team === account || this.#knownTeams.has(team)) return;
    throw new Error('call refused: the team has no share of the quota');
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
    // Calls of other instances in the last second still count.
    shared.onDown(() => this.#second.waitForOthers(this.#clock.monotonic()));
  }

  /** Synchronises with Redis when it is up again: reports this instance's calls and adopts the others'. */
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
