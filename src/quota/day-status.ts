/**
 * Status and events of the day's quota.
 */

/** What a team has spent. */
export interface TeamSpending {
  readonly team: string;
  readonly calls: number;
  /** The team's share of the day. */
  readonly part: number;
  /** Calls beyond its share. */
  readonly borrowed: number;
}

/** A team's day, for display. */
export interface TeamDayStatus extends TeamSpending {
  /** Calls of its share that no other team can borrow now. */
  readonly kept: number;
  /** Calls that it may make now if the others make none. */
  readonly available: number;
}

/** A day's calls, of all instances as far as this one knows. */
export interface DayCalls {
  /** UTC date, such as 2026-01-31. */
  readonly day: string;
  readonly perDay: number;
  readonly teams: readonly TeamCallsOfDay[];
}

export interface TeamCallsOfDay {
  /** Empty for the account. */
  readonly team: string;
  readonly calls: number;
  /** The team's share of the day; 0 for the account, and for a team that is no longer configured. */
  readonly part: number;
  /** `callsPerDay`; null without one. */
  readonly cap: number | null;
}

/** What refuses a team: that others lend it no more calls than its share, or its cap. */
export type TeamLimit = 'share' | 'cap';

/** Events of the day's count. */
export interface DayBudgetEvents {
  /**
   * A threshold is passed: the highest of those that are passed at once. Once per day, and again after a restart or for another
   * limit of the day.
   *
   * @param calls of each team, and of the account's own calls
   */
  passed(percent: number, perDay: number, calls: readonly Pick<TeamDayStatus, 'team' | 'calls'>[]): void;
  /** A team has spent its share and borrows; once per day and team. */
  teamSpent(team: TeamSpending): void;
  /** A team is refused a call while the account has some left; once per day, team and limit. */
  teamRefused(team: TeamSpending, limit: TeamLimit): void;
}
