/**
 * Checks that Redis can be reached, with the rights that Sendgate needs.
 */
import type { Clock } from '../clock.ts';
import type { Loaded } from '../config/load.ts';
import { parseRedisUrl } from '../config/redis-url.ts';
import type { Failure } from '../redis/failures.ts';
import { tryRedis } from '../redis/trial.ts';
import type { CheckResult } from './check-result.ts';

const about = { kind: 'redis', check: 'Redis' } as const;

export async function checkRedis({ config, secrets }: Loaded, clock: Clock): Promise<readonly CheckResult[]> {
  const address = parseRedisUrl(secrets.redisUrl?.value ?? '');
  if (!address) return [];
  const trial = await tryRedis(address, config.redis.keyPrefix, clock);
  if ('failure' in trial) return [judgeFailure(trial.failure)];
  const { timeoutMs } = config.redis;
  if (trial.scriptMs <= timeoutMs) return [{ ...about, state: 'ok', found: 'permits all that Sendgate needs' }];
  const found = `a script took ${Math.ceil(trial.scriptMs)} ms, more than redis.timeoutMs (${timeoutMs})`;
  return [{ ...about, state: 'warning', found, remedy: 'raise it if that persists: a late Redis counts as down' }];
}

function judgeFailure({ reason, denied }: Failure): CheckResult {
  if (denied !== undefined) {
    const remedy = 'grant what docs/operations.md lists under "Several instances"';
    return { ...about, state: 'failed', found: `access control denies ${denied}`, remedy };
  }
  const remedy =
    'correct REDIS_URL, or Redis itself; until then each instance runs standalone on its part of the quota';
  return { ...about, state: 'failed', found: `unusable (${reason})`, remedy };
}
