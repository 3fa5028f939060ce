/**
 * Builds the quota and the state file that keeps its day.
 */
import { sharingTeams } from '../callers/teams.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';
import { accountName, type TeamShare } from '../quota/day-shares.ts';
import { Quota, type QuotaEvents } from '../quota/quota.ts';
import { dayPart } from '../quota/stored-day.ts';
import type { Redis } from '../redis/redis.ts';
import { StateFile } from '../storage/state-file.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Undefined for a single instance. */
  readonly redis: Redis | undefined;
}

export interface BuiltQuota {
  readonly quota: Quota;
  /** Also keeps resolved campaign ids. */
  readonly stateFile: StateFile;
  reconfigure(config: Config): void;
}

export function buildQuota(config: Config, { clock, emit, redis }: Parts): BuiltQuota {
  const file = config.quota.stateFile;
  const stateFile = new StateFile(file, {
    unreadable: () => emit('state.unreadable', { file }),
    unwritable: (code) => emit('state.unwritable', { code, file }),
    writable: () => emit('state.writable', { file }),
  });
  const events: QuotaEvents = {
    waited: (team, urgency, seconds) => emit('quota.waited', { team, urgency, seconds }),
    passed: (percent, perDay, teams) => {
      const calls = Object.fromEntries(teams.map(({ team, calls }) => [team || accountName, calls]));
      emit('quota.passed', { percent, perDay, calls });
    },
    teamSpent: ({ team, calls, part, borrowed }) => emit('quota.team_spent', { team, calls, part, borrowed }),
  };
  const keptDay = stateFile.open(dayPart);
  const quota = new Quota({ clock, teams: teamShares(config), events, redis, keptDay }, config.quota);
  return { quota, stateFile, reconfigure: (present) => quota.reconfigure(present.quota, teamShares(present)) };
}

/** All teams that share the quota, by name. */
const teamShares = ({ teams, callers }: Config): ReadonlyMap<string, TeamShare> =>
  new Map(sharingTeams(teams, callers.required).map((team) => [team.name, team]));
