/**
 * The tokens of all instances, in Redis: refreshed by one, read by all. Never as they are: they are encrypted with what
 * only the instances know.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis as Client, Cluster } from 'ioredis';
import type { Clock } from '../../clock.ts';
import { parseRedisUrl } from '../../config/redis-url.ts';
import { connect, type Redis, type Script } from '../../redis/redis.ts';
import { open, type SealingKey, seal, sealingKey } from '../../storage/sealing.ts';
import { parseTokens, type StoredTokens } from './stored-tokens.ts';

/** How the tokens are kept, in a form that can be handed to another process. */
export interface TokenSharing {
  readonly redisUrl: string;
  /** Of the tokens; that of the lock and of the channel of messages beside it. */
  readonly key: string;
  readonly channel: string;
  /** In base64, the one in use first. */
  readonly sealingKeys: readonly string[];
}

/** A lock that has not been renewed for so long is a dead one's. */
const lockMs = 1_200;
const renewEveryMs = 400;
const pollMs = 50;
/** There is no hurry: a refresh takes longer. */
const patienceMs = 1_000;

/** Clocks of instances differ by seconds: tokens that were issued later than this are none of ours. */
const maxAheadMs = 3_600_000;
/** Bytes of tokens, sealed. */
const maxRecordBytes = 64 * 1024;

/** KEYS: the tokens. ARGV: when they were issued, the tokens, channel, the latest that any can be. Newer ones are not replaced. */
const putLua = `
  local held = redis.pcall('HGET', KEYS[1], 't')
  held = type(held) == 'string' and tonumber(held) or nil
  if held and held >= tonumber(ARGV[1]) and held <= tonumber(ARGV[4]) then return 0 end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 't', ARGV[1], 'r', ARGV[2])
  redis.call('PUBLISH', ARGV[3], '["tokens"]')
  return 1`;
const put: Script = { name: 'sendgatePutTokens', keys: 1, lua: putLua };
const getLua = `
  local record = redis.pcall('HGET', KEYS[1], 'r')
  return type(record) == 'string' and #record <= ${maxRecordBytes} and record or false`;
const get: Script = { name: 'sendgateGetTokens', keys: 1, lua: getLua };

/** KEYS: the lock. ARGV: token, life. One that lives for longer than a lock, or for ever, is nobody's. */
const lockLua = `
  local left = redis.call('PTTL', KEYS[1])
  if left == -1 or left > tonumber(ARGV[2]) then redis.call('DEL', KEYS[1]) end
  return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX')`;
const unlockLua = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;
const renewLua = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;

/** The key that instances have in common without being given one. */
export function tokenKeyOf(clientSecret: string): string {
  return Buffer.from(hkdfSync('sha256', clientSecret, '', 'sendgate tokens', 32)).toString('base64');
}

/** The tokens of all instances, as the service sees them. */
export class SharedTokens {
  readonly #redis: Redis;
  readonly #clock: Clock;
  readonly #sharing: () => TokenSharing | undefined;

  /** @param sharing undefined while there is nothing to encrypt them with: they are not shared then */
  constructor(redis: Redis, clock: Clock, sharing: () => TokenSharing | undefined) {
    this.#redis = redis;
    this.#clock = clock;
    this.#sharing = sharing;
  }

  /**
   * Brings what is held here and what the instances share to the later of the two.
   *
   * @param borrow called with later tokens; returns whether it took them, and so does this
   */
  async reconcile(own: StoredTokens | undefined, borrow: (theirs: StoredTokens) => Promise<boolean>): Promise<boolean> {
    const sharing = this.#sharing();
    if (!sharing || !this.#redis.isUp) return false;
    const { key, channel } = sharing;
    const theirs = fromRecord(sharing, await this.#redis.run(get, [key]));
    if (own && !(theirs && theirs.issuedAt >= own.issuedAt)) {
      // The instance that has refreshed them comes first: its tokens may be later than those borrowed from it.
      if (own.borrowed && !this.#redis.isSettled) return false;
      await this.#redis.run(put, [key, own.issuedAt, toRecord(sharing, own), channel, this.#clock.now() + maxAheadMs]);
      return false;
    }
    return theirs !== undefined && (await borrow(theirs));
  }

  /** Has `listener` called whenever there may be something to reconcile. */
  listen(listener: () => void): void {
    this.#redis.on('tokens', listener);
    this.#redis.onUp(listener);
  }
}

/** The tokens of all instances during a refresh, of which there is one at a time among them. */
export class SharedRefresh {
  readonly #sharing: TokenSharing;
  readonly #client: Client | Cluster;
  readonly #token = randomBytes(12).toString('hex');
  #renewal: NodeJS.Timeout | undefined;

  private constructor(sharing: TokenSharing, client: Client | Cluster) {
    this.#sharing = sharing;
    this.#client = client;
  }

  /** Resolves with the lock held; with undefined when Redis is unavailable, or `locked` when others hold it for too long. */
  static async begin(sharing: TokenSharing, forMs: number): Promise<SharedRefresh | 'locked' | undefined> {
    const address = parseRedisUrl(sharing.redisUrl);
    if (!address) return undefined;
    const client = connect(address);
    client.on('error', () => {}); // What is asked says so itself.
    const refresh = new SharedRefresh(sharing, client);
    const outcome = await refresh.#lock(forMs).catch(() => undefined);
    if (outcome === true) return refresh;
    client.disconnect();
    return outcome === false ? 'locked' : undefined;
  }

  async read(): Promise<StoredTokens | undefined> {
    const asked = this.#client.callBuffer('EVAL', getLua, 1, this.#sharing.key);
    const record = await patiently(asked).catch(() => undefined);
    return fromRecord(this.#sharing, record);
  }

  /** @param nowMs wall time */
  async write(tokens: StoredTokens, nowMs: number): Promise<void> {
    const { key, channel } = this.#sharing;
    const values = [key, String(tokens.issuedAt), toRecord(this.#sharing, tokens), channel, nowMs + maxAheadMs];
    // What cannot be told now is told by the service, when Redis is back.
    await patiently(this.#client.eval(putLua, 1, ...values)).catch(() => {});
  }

  async end(): Promise<void> {
    clearInterval(this.#renewal);
    await patiently(this.#client.eval(unlockLua, 1, this.#lockKey, this.#token)).catch(() => {});
    this.#client.disconnect();
  }

  get #lockKey(): string {
    return `${this.#sharing.key}:lock`;
  }

  async #lock(forMs: number): Promise<boolean> {
    await patiently(ready(this.#client));
    for (const giveUpAt = performance.now() + forMs; performance.now() < giveUpAt; await delay(pollMs)) {
      if (await patiently(this.#client.eval(lockLua, 1, this.#lockKey, this.#token, lockMs))) {
        const renew = () => this.#client.eval(renewLua, 1, this.#lockKey, this.#token, lockMs).catch(() => {});
        this.#renewal = setInterval(renew, renewEveryMs);
        return true;
      }
    }
    return false;
  }
}

function ready(client: Client | Cluster): Promise<void> {
  return client.status === 'ready' ? Promise.resolve() : new Promise((resolve) => client.once('ready', resolve));
}

function patiently<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('Redis is late')), patienceMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const keysOf = ({ sealingKeys }: TokenSharing): SealingKey[] =>
  sealingKeys.map((key) => sealingKey(Buffer.from(key, 'base64')));

function toRecord(sharing: TokenSharing, tokens: StoredTokens): Buffer {
  const [key] = keysOf(sharing);
  if (!key) throw new Error('there is no key');
  return seal(key, Buffer.from(JSON.stringify({ ...tokens, borrowed: undefined })), sharing.key);
}

function fromRecord(sharing: TokenSharing, record: unknown): StoredTokens | undefined {
  if (!Buffer.isBuffer(record)) return undefined;
  const text = open(keysOf(sharing), record, sharing.key);
  const tokens = typeof text === 'string' ? undefined : parseTokens(text.toString());
  return tokens && { ...tokens, borrowed: true };
}
