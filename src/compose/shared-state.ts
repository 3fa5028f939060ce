/**
 * Builds the state shared by instances: Redis, the keys that encrypt its values, and the digests in its key names.
 */
import type { Clock } from '../clock.ts';
import { parseRedisUrl } from '../config/redis-url.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import type { Emit } from '../events.ts';
import { type Digest, digestWith } from '../redis/digests.ts';
import { Redis } from '../redis/redis.ts';
import { KeyRing } from '../storage/key-ring.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly secrets: Secrets;
  readonly readFile: (path: string) => string;
}

export interface SharedState {
  /** Undefined for a single instance. */
  readonly redis: Redis | undefined;
  /** Undefined unless `cache.encryptionKeyFile` is set. */
  readonly keyRing: KeyRing | undefined;
  /** Keyed with the encryption keys or, without them, with a credential: all instances have one, Redis does not. */
  readonly digest: Digest;
  /** Keyed with the encryption keys only. */
  readonly pageDigest: Digest;
}

export function buildSharedState(config: Config, { clock, emit, secrets, readFile }: Parts): SharedState {
  const redis = buildRedis(config, clock, secrets.get('redisUrl'), emit);
  const keyRing = buildKeyRing(config, readFile, emit);
  const credential = () => secrets.get('apiKey') ?? secrets.get('clientSecret') ?? secrets.get('clientId');
  return {
    redis,
    keyRing,
    digest: digestWith(() => keyRing?.digestKey ?? credential()),
    pageDigest: digestWith(() => keyRing?.digestKey),
  };
}

function buildRedis({ redis: options }: Config, clock: Clock, url: string | undefined, emit: Emit): Redis | undefined {
  const address = parseRedisUrl(url ?? '');
  if (!address) return undefined;
  return new Redis(address, options, clock, {
    asked: (script, outcome, seconds) => emit('redis.asked', { script, outcome, seconds }),
    changed: (isUp, why, instances) => {
      if (isUp) emit('redis.available', { instances });
      else emit('redis.unavailable', { ...why, instances });
    },
  });
}

function buildKeyRing({ cache }: Config, readFile: (path: string) => string, emit: Emit): KeyRing | undefined {
  const file = cache.encryptionKeyFile;
  if (file === '') return undefined;
  return new KeyRing(file, readFile, {
    unreadable: (reason) => emit('encryption_keys.unreadable', { file, reason }),
    readableAgain: () => emit('encryption_keys.readable', { file }),
  });
}
