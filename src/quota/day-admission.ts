/**
 * Whether a payer may make a call today, and if not, whose share is spent.
 */
import type { ClientShares } from './client-shares.ts';
import type { Spent } from './day-refusal.ts';
import type { DayShares } from './day-shares.ts';
import type { Payer } from './demand.ts';

export interface DayAdmission {
  /** The shares that decide now. */
  readonly shares: DayShares;
  readonly clients: ClientShares;
  /** Calls that must be left to more urgent demands. */
  readonly kept: number;
  /** Rest of the day: 1 at its start, 0 at its end. */
  readonly rest: number;
}

export function admits(day: DayAdmission, { team, client }: Payer, monotonicMs: number): boolean {
  const { shares, clients, rest } = day;
  const available = availableTo(team, day);
  if (available < 1 || client === undefined || shares.partOf(team).isWhole) return available >= 1;
  const keptByOthers = clients.keptByOthers(
    team,
    client,
    { part: shares.partOf(team).part, calls: shares.callsOf(team), available: shares.available(team, rest), rest },
    monotonicMs,
  );
  return available - keptByOthers >= 1;
}

/** Returns why a team is refused, whose client it may be. */
export function spentBy(team: string, day: DayAdmission): Spent {
  const { shares, rest } = day;
  if (shares.partOf(team).cap - shares.callsOf(team) < 1) return 'cap';
  if (shares.available(team, rest) < 1) return 'share';
  return availableTo(team, day) < 1 ? 'reserve' : 'client';
}

/** Calls that the team may make now, if the others make none. */
const availableTo = (team: string, { shares, kept, rest }: DayAdmission) => shares.available(team, rest, kept);
