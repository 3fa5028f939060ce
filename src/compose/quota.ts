/**
 * Builds the quota.
 */
import { sharingTeams } from '../callers/teams.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';
import { accountName, type TeamShare } from '../quota/day-shares.ts';
import { Quota, type QuotaEvents } from '../quota/quota.ts';
import { dayPart } from '../quota/stored-day.ts';
import type { Redis } from '../redis/redis.ts';
import type { StateFile } from '../storage/state-file.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Undefined for a single instance. */
  readonly redis: Redis | undefined;
  readonly stateFile: StateFile;
}

interface BuiltQuota {
  readonly quota: Quota;
  reconfigure(config: Config): void;
}

export function buildQuota(config: Config, { clock, emit, redis, stateFile }: Parts): BuiltQuota {
  const events: QuotaEvents = {
    waited: (team, urgency, seconds) => emit('quota.waited', { team, urgency, seconds }),
    passed: (percent, perDay, teams) => {
      const calls = Object.fromEntries(teams.map(({ team, calls }) => [team || accountName, calls]));
      emit('quota.passed', { percent, perDay, calls });
    },
    teamSpent: (spending) => emit('quota.team_spent', spending),
    teamRefused: ({ team, calls, part }, limit) => emit('quota.team_refused', { team, limit, calls, part }),
  };
  const keptDay = stateFile.open(dayPart);
  const quota = new Quota({ clock, teams: teamShares(config), events, redis, keptDay }, config.quota);
  return { quota, reconfigure: (present) => quota.reconfigure(present.quota, teamShares(present)) };
}

/** All teams that share the quota, by name. */
const teamShares = ({ teams, callers }: Config): ReadonlyMap<string, TeamShare> =>
  new Map(sharingTeams(teams, callers.required).map((team) => [team.name, team]));
