/**
 * Counts the day's calls by team, because no header reports how many are left.
 */

import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import type { Kept } from '../storage/state-file.ts';
import { ClientShares } from './client-shares.ts';
import { CountedDay } from './counted-day.ts';
import { dayMs, type Now, quotaExhausted, secondsLeft } from './day.ts';
import { admits, type DayAdmission, spentBy } from './day-admission.ts';
import { details, secondsUntil } from './day-refusal.ts';
import { DayReports } from './day-reports.ts';
import { account, DayShares, dividedParts, type TeamCalls, type TeamPart } from './day-shares.ts';
import type { DayBudgetEvents, DayCalls, TeamDayStatus, TeamSpending } from './day-status.ts';
import type { Payer, Urgency } from './demand.ts';
import { OwnCalls } from './own-calls.ts';
import type { Fraction } from './second-limit.ts';
import type { DayReport } from './shared-quota.ts';
import type { StoredDay } from './stored-day.ts';

export interface DayBudgetOptions {
  readonly perDay: number;
  /** Percentage of the daily quota, its last calls, reserved for interactive requests. */
  readonly reserve: number;
}

interface Parts {
  /** Shares of the day, by team. */
  readonly parts: ReadonlyMap<string, TeamPart>;
  readonly events: DayBudgetEvents;
  readonly clock: Clock;
  /** Stores the count across restarts. */
  readonly kept: Kept<StoredDay> | undefined;
  /** Name of this instance in Redis; undefined for a single one. */
  readonly instance?: string | undefined;
}

export class DayBudget {
  #options: DayBudgetOptions;
  readonly #events: DayBudgetEvents;
  #parts: ReadonlyMap<string, TeamPart>;
  readonly #clients = new ClientShares();
  readonly #day: CountedDay;
  #shares: DayShares;
  /** The last day that ended since start. */
  #ended: DayCalls | undefined;
  /** The counts of the day before this one, or those stored: it goes on if the clock was wrong. */
  #former: StoredDay | undefined;
  readonly #own: OwnCalls;
  /** Budget while standalone: a fraction of what was left when Redis was lost. */
  #alone: { readonly shares: DayShares; readonly fraction: Fraction } | undefined;
  readonly #reports = new DayReports();
  readonly #kept: Kept<StoredDay> | undefined;
  #stored: Promise<void> | undefined;

  constructor({ parts, events, clock, kept, instance }: Parts, options: DayBudgetOptions) {
    this.#options = options;
    this.#events = events;
    this.#parts = parts;
    this.#kept = kept;
    this.#own = new OwnCalls(instance);
    const now = clock.now();
    this.#day = new CountedDay(now);
    this.#shares = this.#newDay();
    this.#load(now);
    this.#report();
  }

  /** Changes the calls of the day, their shares and the reserve. The day's counts stay, those of removed teams too. */
  reconfigure(options: DayBudgetOptions, parts: ReadonlyMap<string, TeamPart>, nowMs: number): void {
    const rest = this.restOfDay(nowMs);
    const moreCalls = options.perDay - this.#options.perDay;
    this.#options = options;
    this.#parts = parts;
    this.#shares = this.#shares.reshared(options.perDay, parts, rest);
    this.#reports.changed(this.#shares, options.perDay);
    this.#report();
    if (!this.#alone) return;
    const { shares, fraction } = this.#alone;
    const { instances } = fraction;
    const total = Math.max(shares.used, shares.total + moreCalls / instances);
    this.#alone = { shares: shares.reshared(total, dividedParts(parts, instances), rest), fraction };
  }

  used(nowMs: number): number {
    this.#advance(nowMs);
    return this.#shares.used;
  }

  left(nowMs: number): number {
    this.#advance(nowMs);
    return Math.floor(Math.min(this.#shares.left, this.#alone?.shares.left ?? Number.POSITIVE_INFINITY));
  }

  /** Wall time at which the counted day ends, in milliseconds. */
  endsAt(nowMs: number): number {
    this.#advance(nowMs);
    return this.#day.endsAt;
  }

  /** Rest of the day: 1 at its start, 0 at its end. */
  restOfDay(nowMs: number): number {
    // A clock set back to before this day does not end it.
    return Math.min(1, (this.endsAt(nowMs) - nowMs) / dayMs);
  }

  /** Returns each team's day, then that of the account and of teams no longer configured. */
  teams(nowMs: number): readonly TeamDayStatus[] {
    this.#advance(nowMs);
    return this.#known.map(({ team }) => this.#statusOf(team, nowMs));
  }

  /** Returns the calls of today, and of the last day that ended since start. */
  days(nowMs: number): readonly [today: DayCalls, ended?: DayCalls] {
    this.#advance(nowMs);
    const today = this.#calls();
    return this.#ended ? [today, this.#ended] : [today];
  }

  /** Resolves when the present count is stored, cannot be, or takes too long; undefined if nothing is to be stored. */
  get stored(): Promise<void> | undefined {
    return this.#stored;
  }

  seen(team: string, client: string, monotonicMs: number): void {
    this.#clients.seen(team, client, monotonicMs);
  }

  /** Whether this payer may make a call of this urgency now. */
  allows(payer: Payer, urgency: Urgency, now: Now): boolean {
    return admits(this.#admission(urgency, now.wall), payer, now.monotonic);
  }

  /** Returns the problem for a refused call: whose share is spent, and when to retry. */
  refusal(payer: Payer, urgency: Urgency, now: Now): Problem {
    const endsAt = this.endsAt(now.wall);
    if (this.left(now.wall) < 1) return quotaExhausted(now.wall, endsAt);
    const spent = spentBy(payer.team, this.#admission(urgency, now.wall));
    if ((spent === 'share' || spent === 'cap') && this.#reports.isNew(spent, payer.team)) {
      this.#events.teamRefused(this.#spendingOf(payer.team), spent);
    }
    return new Problem('upstream-quota-exhausted', {
      detail: details[spent],
      retryAfterSeconds: this.#secondsUntilAllowed(payer, urgency, now, secondsLeft(now.wall, endsAt)),
      reason: 'share',
    });
  }

  /** Calls of the day that a demand of this urgency must leave to more urgent ones. */
  keptFrom(urgency: Urgency): number {
    return urgency === 'interactive' ? 0 : (this.#options.perDay * this.#options.reserve) / 100;
  }

  /** Whether more than half of the calls are left that an even pace would leave. */
  isAmple(nowMs: number): boolean {
    return this.left(nowMs) > (this.#options.perDay * this.restOfDay(nowMs)) / 2;
  }

  /** Counts a call. It is made when the count is `stored`, so that a crash loses none. */
  spend(payer: Payer, nowMs: number): void {
    const rest = this.restOfDay(nowMs);
    this.#own.add(payer.team, 1);
    this.#alone?.shares.spend(payer.team, rest);
    this.#change(() => this.#shares.spend(payer.team, rest));
    this.charge(payer);
  }

  /** Charges a client for a call that its team has already been charged for. */
  charge({ team, client }: Payer): void {
    if (client !== undefined) this.#clients.spend(team, client);
  }

  /** Uncounts a call that is not made. */
  giveBack(team: string): void {
    if (this.#shares.callsOf(team) < 1) return; // Its day has ended.
    this.#own.add(team, -1);
    this.#alone?.shares.giveBack(team);
    this.#change(() => this.#shares.giveBack(team));
  }

  /** Takes back what a client was charged for such a call. */
  discharge({ team, client }: Payer): void {
    if (client !== undefined) this.#clients.giveBack(team, client);
  }

  /** Returns this instance's counts, for the others. */
  report(nowMs: number): DayReport {
    const rest = this.restOfDay(nowMs);
    const teams = this.#shares.teams
      .filter(({ calls }) => calls > 0)
      .map(({ team, calls }) => ({ team, own: this.#own.of(team), before: this.#own.before(team), known: calls }));
    return { day: this.#day.number, rest, teams };
  }

  /** Adopts the counts of all instances. `granted`: the team whose call was just granted to this one, if any. */
  reported({ day }: DayReport, teams: readonly TeamCalls[], granted: string | undefined, nowMs: number): void {
    const rest = this.restOfDay(nowMs);
    if (day !== this.#day.number) return;
    if (granted !== undefined) this.#own.add(granted, 1);
    this.#change(() => this.#shares.adopt(teams, rest));
  }

  /** Switches to this instance's fraction of what is left: Redis is down. */
  divide(nowMs: number, fraction: Fraction): void {
    this.#advance(nowMs);
    this.#alone ??= { shares: this.#divided(fraction), fraction };
  }

  /** Switches back to the shared count: Redis is up again. */
  unite(): void {
    this.#alone = undefined;
  }

  #admission(urgency: Urgency, nowMs: number): DayAdmission {
    const rest = this.restOfDay(nowMs); // A new day may begin by it.
    const kept = this.keptFrom(urgency) / (this.#alone?.fraction.instances ?? 1);
    return { shares: this.#present, clients: this.#clients, kept, rest };
  }

  #secondsUntilAllowed(payer: Payer, urgency: Urgency, now: Now, endsInSeconds: number): number {
    const day = this.#admission(urgency, now.wall);
    const isAllowedIn = (seconds: number) => {
      const rest = this.restOfDay(now.wall + seconds * 1000);
      return admits({ ...day, rest }, payer, now.monotonic + seconds * 1000);
    };
    return secondsUntil(isAllowedIn, endsInSeconds);
  }

  /** The shares that decide now: this instance's while Redis is down. */
  get #present(): DayShares {
    return this.#alone?.shares ?? this.#shares;
  }

  /** Teams that are configured, or have made calls. */
  get #known(): readonly TeamCalls[] {
    return this.#shares.teams.filter(({ team, calls }) => this.#parts.has(team) || calls > 0);
  }

  #statusOf(team: string, nowMs: number): TeamDayStatus {
    const rest = this.restOfDay(nowMs);
    const available = Math.floor(this.#present.available(team, rest));
    return { ...this.#spendingOf(team), kept: this.#shares.keeps(team, rest), available };
  }

  #spendingOf(team: string): TeamSpending {
    const calls = this.#shares.callsOf(team);
    const part = Math.floor(this.#parts.get(team)?.part ?? 0);
    return { team, calls, part, borrowed: team === account ? 0 : Math.max(0, calls - part) };
  }

  #calls(): DayCalls {
    const { perDay } = this.#options;
    const teams = this.#known.map(({ team, calls }) => {
      const { part = 0, cap = perDay } = this.#parts.get(team) ?? {};
      return { team, calls, part: Math.floor(part), cap: cap < perDay ? cap : null };
    });
    return { day: this.#day.date, perDay, teams };
  }

  #change(count: () => void): void {
    const before = this.#shares.used;
    count();
    if (this.#shares.used === before) return;
    this.#report();
    this.#save();
  }

  /** Reports what was passed and is not reported yet. */
  #report(): void {
    const { perDay } = this.#options;
    const percent = this.#reports.passed(this.#shares, perDay);
    if (percent !== undefined) this.#events.passed(percent, perDay, this.#known);
    for (const [team, { part }] of this.#parts) {
      const isBorrowing = this.#shares.callsOf(team) > part;
      if (isBorrowing && this.#reports.isNew('borrows', team)) this.#events.teamSpent(this.#spendingOf(team));
    }
  }

  #advance(nowMs: number): void {
    const turn = this.#day.turnAt(nowMs);
    if (turn === 'begin') this.#begin(nowMs);
    else if (turn === 'correct') this.#correct(nowMs);
  }

  #begin(nowMs: number): void {
    this.#ended = this.#calls();
    this.#former = this.#toStore();
    this.#day.moveTo(nowMs);
    this.#shares = this.#newDay();
    this.#own.forget();
    this.#clients.forgetCalls();
    this.#reports.forget();
    this.#divideAgain();
  }

  /** The clock was wrong before, or is now: whatever was counted meanwhile counts for this day. */
  #correct(nowMs: number): void {
    this.#ended = undefined;
    this.#day.moveTo(nowMs);
    const former = this.#former?.day === this.#day.date ? this.#former.teams : [];
    this.#former = undefined;
    this.#own.adopt(former);
    const teams = former.map((one) => ({ ...one, calls: one.calls + this.#shares.callsOf(one.team) }));
    this.#change(() => this.#shares.adopt(teams, this.restOfDay(nowMs)));
    this.#divideAgain();
  }

  #divideAgain(): void {
    if (this.#alone) this.#alone = { ...this.#alone, shares: this.#divided(this.#alone.fraction) };
  }

  #divided({ instances, rank }: Fraction): DayShares {
    const { left } = this.#shares;
    return this.#shares.divide(Math.floor(left / instances) + (rank < left % instances ? 1 : 0), instances);
  }

  #newDay(): DayShares {
    return new DayShares(this.#options.perDay, this.#parts);
  }

  #load(nowMs: number): void {
    const stored = this.#kept?.stored;
    if (!stored) return;
    if (this.#day.isAfter(stored.day)) {
      this.#former = stored;
      return;
    }
    this.#shares.adopt(stored.teams, this.restOfDay(nowMs));
    this.#own.adopt(stored.teams);
  }

  #save(): void {
    this.#stored = this.#kept?.keep(this.#toStore());
  }

  #toStore(): StoredDay {
    const teams = this.#shares.teams.filter(({ calls }) => calls > 0);
    return { day: this.#day.date, teams: teams.map((one) => ({ ...one, own: this.#own.toStore(one.team) })) };
  }
}
