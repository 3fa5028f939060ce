/**
 * Builds the quota.
 */
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
  /** All teams, by name. */
  readonly teams: ReadonlyMap<string, TeamShare>;
  /** Undefined for a single instance. */
  readonly redis: Redis | undefined;
  readonly stateFile: StateFile;
}

export function buildQuota(config: Config, { clock, emit, teams, redis, stateFile }: Parts): Quota {
  const events: QuotaEvents = {
    waited: (team, urgency, seconds) => emit('quota.waited', { team, urgency, seconds }),
    passed: (percent, teams) => {
      const calls = Object.fromEntries(teams.map(({ team, calls }) => [team || accountName, calls]));
      emit('quota.passed', { percent, perDay: config.quota.perDay, calls });
    },
    teamSpent: ({ team, calls, part, borrowed }) => emit('quota.team_spent', { team, calls, part, borrowed }),
  };
  return new Quota({ clock, teams, events, redis, keptDay: stateFile.open(dayPart) }, config.quota);
}
