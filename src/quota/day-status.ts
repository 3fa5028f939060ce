/**
 * What is reported about the day.
 */

/** One team's day, for people. */
export interface TeamDayStatus {
  readonly team: string;
  readonly calls: number;
  /** Calls that the team is sure of in a day. */
  readonly part: number;
  /** Calls beyond its part. */
  readonly borrowed: number;
  /** Calls that it may still make now, if the others make none. */
  readonly available: number;
}

/** What is worth telling about the count. */
export interface DayBudgetEvents {
  /**
   * Once a day and threshold.
   *
   * @param calls of each team, and of the account's own calls
   */
  passed(percent: number, calls: readonly Pick<TeamDayStatus, 'team' | 'calls'>[]): void;
  /** Once a day and team: what the team may call for the time being is spent, though the account's day is not. */
  teamSpent(team: TeamDayStatus): void;
}
