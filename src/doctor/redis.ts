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
  if ('failure' in trial) return [judgeFailure(trial.failure, address.tls)];
  const { timeoutMs } = config.redis;
  if (trial.scriptMs <= timeoutMs) return [{ ...about, state: 'ok', found: 'permits all that Sendgate needs' }];
  const found = `a script took ${Math.ceil(trial.scriptMs)} ms, more than redis.timeoutMs (${timeoutMs})`;
  return [{ ...about, state: 'warning', found, remedy: 'raise it if that persists: a late Redis counts as down' }];
}

const silent = ['does not answer, or is no Redis', 'see whether it runs at the address in REDIS_URL'] as const;

/** What the reasons of a failure mean, to be read after "Redis", and what to do. */
const meanings: Readonly<Record<string, readonly [found: string, remedy: string]>> = {
  full: ['is full, and evicts nothing', 'raise maxmemory, or set maxmemory-policy to allkeys-lru'],
  'read-only': ['is a read-only replica', 'name its master in REDIS_URL, or the sentinels, which name it'],
  'cannot-save': ['rejects writes, since it cannot save to its disk', 'mend that disk, or turn saving off'],
  'not-ready': ['is not ready: it is loading, failing over, or short of replicas', 'see its log'],
  refused: ['refuses the user or the password', 'correct REDIS_URL'],
  'is-cluster': ['is a cluster', 'begin REDIS_URL with redis+cluster:'],
  'no-cluster': ['is no cluster', 'name one server in REDIS_URL'],
  connection: silent,
  late: silent,
  'no-database': ['has no such database', 'correct the number at the end of REDIS_URL'],
};
const lateReasons = ['late', 'ETIMEDOUT'];
const lateOverTls = ['does not answer over TLS', 'begin REDIS_URL with redis: if it speaks none, or mend it'] as const;
const other = ['is unusable', 'correct REDIS_URL, or Redis itself'] as const;

function judgeFailure({ reason, denied }: Failure, isTls: boolean): CheckResult {
  if (denied !== undefined) {
    const remedy = 'grant what docs/operations.md lists under "Several instances"';
    return { ...about, state: 'failed', found: `access control denies ${denied}`, remedy };
  }
  const [found, mend] = isTls && lateReasons.includes(reason) ? lateOverTls : (meanings[reason] ?? other);
  const remedy = `${mend}; until then each instance runs standalone on its part of the quota`;
  return { ...about, state: 'failed', found: `${found} (${reason})`, remedy };
}
