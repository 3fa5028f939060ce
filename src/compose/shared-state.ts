/**
 * Builds the state shared by instances: Redis, the keys that encrypt its values, and the digests in its key names.
 */
import type { Clock } from '../clock.ts';
import { parseRedisUrl } from '../config/redis-url.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import type { Emit } from '../events.ts';
import { fractionPart, KeptFraction } from '../quota/kept-fraction.ts';
import { type Digest, digestWith } from '../redis/digests.ts';
import { Redis, type RedisEvents } from '../redis/redis.ts';
import { KeyRing } from '../storage/key-ring.ts';
import type { StateFile } from '../storage/state-file.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly secrets: Secrets;
  readonly readFile: (path: string) => string;
  readonly stateFile: StateFile;
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

export function buildSharedState(config: Config, parts: Parts): SharedState {
  const { emit, secrets, readFile } = parts;
  const redis = buildRedis(config, parts);
  const keyRing = buildKeyRing(config, readFile, emit);
  const credential = () => secrets.get('apiKey') ?? secrets.get('clientSecret') ?? secrets.get('clientId');
  return {
    redis,
    keyRing,
    digest: digestWith(() => keyRing?.digestKey ?? credential()),
    pageDigest: digestWith(() => keyRing?.digestKey),
  };
}

function buildRedis({ redis: options }: Config, { clock, emit, secrets, stateFile }: Parts): Redis | undefined {
  const address = parseRedisUrl(secrets.get('redisUrl') ?? '');
  if (!address) return undefined;
  const events: RedisEvents = {
    asked: (script, outcome, seconds) => emit('redis.asked', { script, outcome, seconds }),
    changed: (isUp, why, instances) => {
      if (isUp) emit('redis.available', { instances });
      else emit('redis.unavailable', { ...why, instances });
    },
  };
  return new Redis(address, options, clock, events, new KeptFraction(clock, stateFile.open(fractionPart)));
}

function buildKeyRing({ cache }: Config, readFile: (path: string) => string, emit: Emit): KeyRing | undefined {
  const file = cache.encryptionKeyFile;
  if (file === '') return undefined;
  return new KeyRing(file, readFile, {
    unreadable: (reason) => emit('encryption_keys.unreadable', { file, reason }),
    readableAgain: () => emit('encryption_keys.readable', { file }),
  });
}
