/**
 * The quota of calls, with the file in which its day is kept.
 */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';
import { accountName, type TeamShare } from '../quota/day-shares.ts';
import { Quota } from '../quota/quota.ts';
import type { Redis } from '../redis/redis.ts';
import { StateFile } from '../storage/state-file.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  /** All teams, by name. */
  readonly teams: ReadonlyMap<string, TeamShare>;
  /** What the instances share; undefined where this is the only one. */
  readonly redis: Redis | undefined;
}

export function buildQuota(config: Config, { clock, emit, teams, redis }: Parts) {
  const file = config.quota.stateFile;
  const unsaved = (reason: 'unreadable' | 'unwritable', code: string | undefined) =>
    emit(`state.${reason}`, { code, file });
  const stateFile = new StateFile(file, {
    unsaved,
    saved: () => emit('state.writable', { file }),
    idsDropped: (dropped) => emit('ids.dropped', { dropped, file }),
  });
  const quota: Quota = new Quota(
    clock,
    config.quota,
    teams,
    {
      waited: (team, urgency, seconds) => emit('quota.waited', { team, urgency, seconds }),
      passed: (percent) => {
        const calls = Object.fromEntries(quota.status().teams.map(({ team, calls }) => [team || accountName, calls]));
        emit('quota.passed', { percent, perDay: config.quota.perDay, calls });
      },
      teamSpent: ({ team, calls, part, borrowed }) => emit('quota.team_spent', { team, calls, part, borrowed }),
      unsaved,
    },
    redis,
    stateFile,
  );
  return { quota, stateFile };
}
