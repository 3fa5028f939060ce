/**
 * Builds the quota and the state file that keeps its day.
 */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';
import { accountName, type TeamShare } from '../quota/day-shares.ts';
import { Quota, type QuotaEvents } from '../quota/quota.ts';
import { dayPart } from '../quota/stored-day.ts';
import type { Redis } from '../redis/redis.ts';
import { StateFile, type StateFileEvents } from '../storage/state-file.ts';
import type { BuiltStorage } from './storage.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  /** All teams, by name. */
  readonly teams: ReadonlyMap<string, TeamShare>;
  /** Undefined for a single instance. */
  readonly redis: Redis | undefined;
  readonly storage: BuiltStorage;
}

export interface BuiltQuota {
  readonly quota: Quota;
  /** Also keeps resolved campaign ids. */
  readonly stateFile: StateFile;
}

export function buildQuota(config: Config, { clock, emit, teams, redis, storage }: Parts): BuiltQuota {
  const stateFile = buildStateFile(config, storage, emit);
  const events: QuotaEvents = {
    waited: (team, urgency, seconds) => emit('quota.waited', { team, urgency, seconds }),
    passed: (percent, teams) => {
      const calls = Object.fromEntries(teams.map(({ team, calls }) => [team || accountName, calls]));
      emit('quota.passed', { percent, perDay: config.quota.perDay, calls });
    },
    teamSpent: ({ team, calls, part, borrowed }) => emit('quota.team_spent', { team, calls, part, borrowed }),
  };
  const quota = new Quota({ clock, teams, events, redis, keptDay: stateFile.open(dayPart) }, config.quota);
  return { quota, stateFile };
}

/** In storage, if there is one. `quota.stateFile`, of earlier versions, is then read at the first start only. */
function buildStateFile({ quota, storage: options }: Config, { stateFile: file }: BuiltStorage, emit: Emit): StateFile {
  const before = quota.stateFile;
  if (before !== '') emit('state.file_deprecated', { file: before });
  const events: StateFileEvents = {
    unreadable: () => emit('state.unreadable', { file }),
    unwritable: (code) => emit('state.unwritable', { code, file }),
    writable: () => emit('state.writable', { file }),
  };
  return new StateFile(file, events, options.directory === '' ? '' : before);
}
