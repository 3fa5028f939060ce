/**
 * The day's count as stored across restarts: a part of the state file.
 */
import { z } from 'zod';
import type { Part } from '../storage/state-file.ts';
import { account, type TeamCalls } from './day-shares.ts';

export interface StoredDay {
  /** UTC date, such as 2026-01-31. */
  readonly day: string;
  readonly teams: readonly StoredTeam[];
}

export interface StoredTeam extends TeamCalls {
  /** With Redis: which of the calls this instance made, by its name at each start. Others do not know those made standalone. */
  readonly own?: readonly InstanceCalls[] | undefined;
}

/** Name of an instance, which it has until it stops, and its calls. */
export type InstanceCalls = readonly [instance: string, calls: number];

/** Most starts in a day whose calls are kept apart; those of earlier ones are only in the total. */
export const maxStarts = 20;

const calls = z.int().nonnegative();
const own = z
  .array(z.tuple([z.string().regex(/^[0-9a-f]{12}$/), calls]))
  .max(maxStarts)
  .optional()
  .catch(undefined);
const stored = z.object({
  day: z.iso.date(),
  calls,
  teams: z
    .array(z.object({ team: z.string().max(64), calls, kept: z.number().nonnegative(), own }))
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
