/**
 * Shares tokens between instances through Redis: refreshed by one, read by all. Encrypted with a key that only the instances
 * know.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import type { Redis as Client, Cluster } from 'ioredis';
import { type Clock, systemClock } from '../../clock.ts';
import { parseRedisUrl } from '../../config/redis-url.ts';
import { connect } from '../../redis/connection.ts';
import { acquire, type HeldLock } from '../../redis/lock.ts';
import type { Redis } from '../../redis/redis.ts';
import { loadScript, type Reply, runScript, type Script } from '../../redis/scripts.ts';
import { within } from '../../redis/time-limit.ts';
import { open, type SealingKey, seal, sealingKey } from '../../storage/sealing.ts';
import type { RefreshTime } from './persist.ts';
import { parseTokens, type StoredTokens } from './stored-tokens.ts';

/** How tokens are shared, in a form that can be passed to another process. */
export interface TokenSharing {
  readonly redisUrl: string;
  /** Key of the tokens; their lock's key derives from it. */
  readonly key: string;
  readonly channel: string;
  /** In base64, current key first. */
  readonly sealingKeys: readonly string[];
}

/** Generous: a refresh takes longer. */
const patienceMs = 1_000;
const pollMs = 50;

/** Instances' clocks differ by seconds: tokens from further ahead are not ours. */
const maxAheadMs = 3_600_000;
/** As put-tokens publishes it. */
const tokensMessage = JSON.stringify(['tokens']);
const put = loadScript(import.meta.url, 'lua/put-tokens-1.lua');
const get = loadScript(import.meta.url, 'lua/get-tokens-1.lua');

/** Derives the shared key from the client secret, if no key is configured. */
export function tokenKeyOf(clientSecret: string): string {
  return Buffer.from(hkdfSync('sha256', clientSecret, '', 'sendgate tokens', 32)).toString('base64');
}

/** The shared tokens, for the service. */
export class SharedTokens {
  readonly #redis: Redis;
  readonly #clock: Clock;
  readonly #sharing: () => TokenSharing | undefined;

  /** @param sharing undefined without an encryption key: then nothing is shared */
  constructor(redis: Redis, clock: Clock, sharing: () => TokenSharing | undefined) {
    this.#redis = redis;
    this.#clock = clock;
    this.#sharing = sharing;
  }

  /**
   * Brings this instance's tokens and the shared ones to the later of the two.
   *
   * @param borrow called with later tokens; returns whether it stored them, as does this method
   */
  async reconcile(own: StoredTokens | undefined, borrow: (theirs: StoredTokens) => Promise<boolean>): Promise<boolean> {
    const sharing = this.#sharing();
    if (!sharing || !this.#redis.isUp) return false;
    const record = await this.#redis.run(get, [sharing.key]);
    const theirs = fromRecord(sharing, record);
    if (own && !(theirs && theirs.issuedAt >= own.issuedAt)) {
      // The instance that refreshed them goes first: it may have later tokens than those borrowed from it.
      if (own.borrowed && !this.#redis.isSettled) return false;
      await this.#redis.run(put, toPut(sharing, own, record, this.#clock.now()));
      return false;
    }
    return theirs !== undefined && (await borrow(theirs));
  }

  /** Calls `listener` whenever there may be something to reconcile. */
  listen(listener: () => void): void {
    this.#redis.on('tokens', listener);
    this.#redis.onUp(listener);
  }
}

/** The shared tokens during a refresh; only one refresh runs among all instances. */
export class SharedRefresh {
  readonly #sharing: TokenSharing;
  readonly #client: Client | Cluster;
  #lock: HeldLock | undefined;

  private constructor(sharing: TokenSharing, client: Client | Cluster) {
    this.#sharing = sharing;
    this.#client = client;
  }

  /** Acquires the lock. Resolves with undefined if Redis is unavailable, or `locked` if others hold it too long. */
  static async begin(sharing: TokenSharing, forMs: number): Promise<SharedRefresh | 'locked' | undefined> {
    const address = parseRedisUrl(sharing.redisUrl);
    if (!address) return undefined;
    const client = connect(address);
    client.on('error', () => {}); // Each command reports its own failure.
    const refresh = new SharedRefresh(sharing, client);
    const outcome = await refresh.#acquire(forMs).catch(() => undefined);
    if (outcome === true) return refresh;
    client.disconnect();
    return outcome === false ? 'locked' : undefined;
  }

  async read(): Promise<StoredTokens | undefined> {
    const record = await this.#run(get, [this.#sharing.key]).catch(() => undefined);
    return fromRecord(this.#sharing, record);
  }

  /**
   * Makes the other instances share their tokens. Those in Redis may be from before: put back by somebody who can write to it, or
   * by a replica or a copy that took over. Returns whether later ones have come.
   */
  async askForLater({ issuedAt }: StoredTokens, { wait }: Pick<RefreshTime, 'wait'>): Promise<boolean> {
    await patiently(this.#client.publish(this.#sharing.channel, tokensMessage)).catch(() => {});
    for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += pollMs) {
      await wait(pollMs);
      const theirs = await this.read();
      if (!theirs) return false;
      if (theirs.issuedAt > issuedAt) return true;
    }
    return false;
  }

  /** @param nowMs wall time in milliseconds */
  async write(tokens: StoredTokens, nowMs: number): Promise<void> {
    try {
      const record = await this.#run(get, [this.#sharing.key]);
      await this.#run(put, toPut(this.#sharing, tokens, record, nowMs));
    } catch {
      // The service shares them when Redis is back.
    }
  }

  async end(): Promise<void> {
    await this.#lock?.release().catch(() => {});
    this.#client.disconnect();
  }

  async #acquire(forMs: number): Promise<boolean> {
    await patiently(ready(this.#client));
    const lock = { key: `${this.#sharing.key}:lock`, token: randomBytes(12).toString('hex'), forMs };
    this.#lock = await acquire((script, values) => this.#run(script, values), systemClock, lock);
    return this.#lock !== undefined;
  }

  #run(script: Script, values: readonly (string | number | Buffer)[]): Promise<Reply> {
    return patiently(runScript(this.#client, script, values));
  }
}

function ready(client: Client | Cluster): Promise<void> {
  return client.status === 'ready' ? Promise.resolve() : new Promise((resolve) => client.once('ready', resolve));
}

const patiently = <T>(promise: Promise<T>): Promise<T> => within(systemClock, patienceMs, promise);

const keysOf = ({ sealingKeys }: TokenSharing): SealingKey[] =>
  sealingKeys.map((key) => sealingKey(Buffer.from(key, 'base64')));

/** Returns the arguments of `put`. Earlier tokens that are `held` are replaced whatever their plain time says. */
function toPut(sharing: TokenSharing, tokens: StoredTokens, held: Reply | undefined, nowMs: number) {
  const { key, channel } = sharing;
  const theirs = fromRecord(sharing, held);
  const earlier = theirs && theirs.issuedAt < tokens.issuedAt ? (held as Buffer) : '';
  return [key, tokens.issuedAt, toRecord(sharing, tokens), channel, nowMs + maxAheadMs, earlier];
}

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
