/**
 * Status and events of the day's quota.
 */

/** A team's day, for display. */
export interface TeamDayStatus {
  readonly team: string;
  readonly calls: number;
  /** The team's share of the day. */
  readonly part: number;
  /** Calls beyond its share. */
  readonly borrowed: number;
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

/** Events of the day's count. */
export interface DayBudgetEvents {
  /**
   * A threshold is passed; once per day and threshold.
   *
   * @param calls of each team, and of the account's own calls
   */
  passed(percent: number, perDay: number, calls: readonly Pick<TeamDayStatus, 'team' | 'calls'>[]): void;
  /** A team's available calls are spent while the account has some left; once per day and team. */
  teamSpent(team: TeamDayStatus): void;
}
