/**
 * `quota.stateFile`: the day's calls by team, kept over a restart.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { account, type TeamCalls } from './day-shares.ts';

const calls = z.int().nonnegative();
const shape = z.object({
  day: z.iso.date(),
  calls,
  teams: z
    .array(z.object({ team: z.string().max(64), calls, kept: z.number().nonnegative() }))
    .max(1_000)
    .default([]),
});

export interface StoredDay {
  /** Such as 2026-01-31, in UTC. */
  readonly day: string;
  readonly teams: readonly TeamCalls[];
}

/**
 * What was stored last; undefined where nothing was. Calls that a version without teams has counted are the account's.
 *
 * @throws Error when the file cannot be read, or holds anything else
 */
export function readDay(file: string): StoredDay | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { day, calls, teams } = shape.parse(JSON.parse(text));
  const rest = calls - teams.reduce((sum, team) => sum + team.calls, 0);
  return { day, teams: rest > 0 ? [...teams, { team: account, calls: rest, kept: 0 }] : teams };
}

/**
 * Written aside and renamed, for the owner alone. Four times a second at most, in a tenth of a millisecond: not worth the
 * ways in which doing it later can fail.
 *
 * @throws Error when the file cannot be written
 */
export function writeDay(file: string, { day, teams }: StoredDay): void {
  const calls = teams.reduce((sum, team) => sum + team.calls, 0);
  writeFileSync(`${file}.new`, JSON.stringify({ day, calls, teams }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
