/**
 * The day's count as stored across restarts: a part of the state file.
 */
import { z } from 'zod';
import type { Part } from '../storage/state-file.ts';
import { account, type TeamCalls } from './day-shares.ts';

export interface StoredDay {
  /** UTC date, such as 2026-01-31. */
  readonly day: string;
  readonly teams: readonly TeamCalls[];
}

const calls = z.int().nonnegative();
const stored = z.object({
  day: z.iso.date(),
  calls,
  teams: z
    .array(z.object({ team: z.string().max(64), calls, kept: z.number().nonnegative() }))
    .max(1_000)
    .default([]),
});

const sumOf = (teams: readonly TeamCalls[]) => teams.reduce((sum, team) => sum + team.calls, 0);

export const dayPart: Part<StoredDay> = {
  members: ['day', 'calls', 'teams'],
  parse: (members) => {
    const { day, calls, teams } = stored.parse(members);
    const rest = calls - sumOf(teams);
    // Calls counted by a version without teams belong to the account.
    return { day, teams: rest > 0 ? [...teams, { team: account, calls: rest, kept: 0 }] : teams };
  },
  serialise: ({ day, teams }) => ({ day, calls: sumOf(teams), teams }),
};
