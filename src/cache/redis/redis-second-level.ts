/**
 * Shares pages between instances in Redis: one call for a page, whichever instance misses it.
 *
 * The first instance to miss a page gets the lease, a lock that lasts while its holder lives. The others wait for the message
 * that the page has arrived, or why it will not.
 */
import { Problem } from '../../problems.ts';
import { type Demand, urgencies } from '../../quota/demand.ts';
import { lockMs } from '../../redis/lock.ts';
import type { Unreadable } from '../../storage/envelope.ts';
import { type Page, pageOf } from '../page.ts';
import type { PageOfWalk } from '../page-of-walk.ts';
import { readRecord } from '../page-record.ts';
import { isRefusalCode } from '../refusals.ts';
import type { SecondLevel, SecondLevelReply, Wanted } from '../second-level.ts';
import { maxAheadMs, timesOf } from '../stored-times.ts';
import { throwFailure } from './failure-message.ts';
import { type LeaseParts, LeasesInRedis } from './leases.ts';
import { type LookReply, parseLookReply } from './look-reply.ts';
import { PageNews } from './page-news.ts';
import { confirm, look, purge } from './page-scripts.ts';
import { walkLifeMs } from './redis-page-keys.ts';

interface Parts extends LeaseParts {
  /** Called with the reason when a record is rejected. */
  readonly onUnreadable: (why: Unreadable) => void;
}

export interface RedisPagesOptions {
  /** How long a page is kept past its freshness, and a generation past the last first page. */
  readonly staleIfErrorSeconds: number;
  readonly maxFreshSeconds: number;
  /** How long a refusal is remembered. */
  readonly notFoundSeconds: number;
  /** Largest content of a page, in bytes. */
  readonly maxPageBytes: number;
  /** The longest wait for another instance's call. */
  readonly maxWaitMs: number;
}

/** The message may arrive shortly after the lock expires. */
const slackMs = 10;
/** Of one time, where it is converted between the two clocks twice. */
const roundingMs = 2;
/** A time after which no page was fetched. */
const never = Number.MAX_SAFE_INTEGER;
/** Room for Brotli's worst case and a header with a cursor. */
const recordOverheadBytes = 64 * 1024;

export class RedisSecondLevel implements SecondLevel {
  readonly #parts: Parts;
  #options: RedisPagesOptions;
  readonly #news: PageNews;
  readonly #leases: LeasesInRedis;
  #lastToken = 0;
  #onPurge: (campaign: string | undefined) => void = () => {};

  constructor(parts: Parts, options: RedisPagesOptions) {
    const { redis, generations, keys, clock } = parts;
    this.#parts = parts;
    this.#options = options;
    this.#news = new PageNews(redis, clock);
    this.#leases = new LeasesInRedis(parts, () => this.#options.staleIfErrorSeconds);
    redis.on('walk', (key = '', generation) => {
      const walk = keys.walkIn(key);
      if (walk !== undefined) generations.adopt(walk, keys.generationOf(generation));
    });
    redis.on('purge', (namespace, campaign = '') => {
      if (namespace === keys.namespace) this.#onPurge(campaign === '' ? undefined : campaign);
    });
  }

  /** Changes the limits; for pages and generations that are stored from now on. */
  reconfigure(options: RedisPagesOptions): void {
    this.#options = options;
    this.#parts.keys.walkLifeMs = walkLifeMs(options);
  }

  isDoubtful(walk: string): boolean {
    const { redis, generations } = this.#parts;
    return redis.isUp && generations.of(walk).confirmedIn !== redis.session;
  }

  async confirm(walk: string): Promise<void> {
    const { redis, generations, keys } = this.#parts;
    const { session } = redis;
    const page = { kind: 'next', walk, cursor: '' } as const;
    const reply = await redis.run(confirm, [...keys.of(page), ...this.#ownView(page), keys.highest()]);
    if (reply !== undefined) generations.confirm(walk, keys.generationOf(reply), session);
  }

  onPurge(listener: (campaign: string | undefined) => void): void {
    this.#onPurge = listener;
  }

  /** An unreachable instance learns the new generations when it reconnects. */
  async purge(campaign: string | undefined): Promise<boolean> {
    const { redis, generations, keys } = this.#parts;
    redis.publish('purge', keys.namespace, campaign ?? '');
    return redis.eachKey(keys.patternOf(campaign), async (stored) => {
      const forget = (key: string) => {
        const values = [redis.channel, generations.next(), keys.walkLifeMs, keys.highest()];
        return redis.run(purge, [key, `${key}:lock`, keys.walkKeyIn(key), ...values]);
      };
      const replies = await Promise.all(stored.map(forget));
      if (replies.includes(undefined)) throw new Error('Redis became unavailable');
    });
  }

  async look(page: PageOfWalk, wanted: Wanted, demand: Demand, signal: AbortSignal): Promise<SecondLevelReply> {
    const { redis, clock } = this.#parts;
    const [key] = this.#parts.keys.of(page);
    const token = `${redis.instance}-${this.#lastToken++}`;
    const giveUpAt = clock.monotonic() + this.#options.maxWaitMs;
    let { notBefore } = wanted;
    for (let waited = false; ; ) {
      const news = this.#news.listen(key);
      try {
        const reply = await this.#ask(page, { ...wanted, notBefore }, demand, token);
        if (!reply) return { kind: 'lease', lease: this.#leases.unshared(page), fallback: undefined };
        if (reply.kind === 'wait') {
          waited = true;
          if (clock.monotonic() > giveUpAt) throw new Problem('upstream-timeout', { reason: 'other-instance' });
          throwFailure(await news.wait(reply.lockMs + slackMs, signal));
          continue;
        }
        const answer = await this.#answer(page, reply, wanted, () => this.#leases.take(page, token, demand));
        if (answer) return answer.kind === 'page' ? { ...answer, waited } : answer;
        notBefore = never; // Unreadable: look again for a newer one.
      } finally {
        news.cancel();
      }
    }
  }

  async #ask(page: PageOfWalk, wanted: Wanted, demand: Demand, token: string): Promise<LookReply | undefined> {
    const { redis, generations, keys, clock } = this.#parts;
    const { maxPageBytes, maxFreshSeconds, notFoundSeconds } = this.#options;
    const { session } = redis;
    const notBefore = Math.min(Math.max(0, keys.toWall(wanted.notBefore)), never);
    const reply = await redis.run(look, [
      ...keys.of(page),
      ...this.#ownView(page),
      ...[clock.now(), notBefore, Number(wanted.mayBeStale)],
      ...[token, lockMs, urgencies.indexOf(demand.urgency), demand.team],
      ...[
        maxPageBytes + recordOverheadBytes,
        maxFreshSeconds * 1000,
        notFoundSeconds * 1000,
        maxAheadMs,
        keys.highest(),
      ],
    ]);
    const parsed = parseLookReply(reply, keys, clock.now(), this.#options);
    if (parsed) generations.confirm(page.walk, parsed.generation, session);
    return parsed;
  }

  /** Turns a reply into a result; undefined if its page cannot be read, or is not what Lua took it for. */
  async #answer(
    of: PageOfWalk,
    reply: LookReply,
    wanted: Wanted,
    lease: () => ReturnType<LeasesInRedis['take']>,
  ): Promise<SecondLevelReply | undefined> {
    const { generations, clock } = this.#parts;
    const page = await this.#read(of, reply, wanted);
    if (reply.kind === 'lease') {
      const isPresent = page?.generation === generations.of(of.walk).generation;
      return { kind: 'lease', lease: lease(), fallback: of.kind === 'first' || isPresent ? page : undefined };
    }
    if (isRefusalCode(reply.refusal)) {
      return { kind: 'refusal', code: reply.refusal, until: clock.monotonic() + reply.until - clock.now() };
    }
    return page && isGoodEnough(page, wanted, clock.monotonic()) ? { kind: 'page', page, waited: false } : undefined;
  }

  /** Reads the page of a reply. What is sealed in the record decides: the fields beside it can be written without a key. */
  async #read(of: PageOfWalk, reply: LookReply, { known, rebuild }: Wanted): Promise<Page | undefined> {
    const { keys, keyRing, generations, clock, onUnreadable } = this.#parts;
    if (reply.record.length === 0) return undefined;
    const [key] = keys.of(of);
    const options = { known, rebuild, maxIdentityBytes: this.#options.maxPageBytes };
    const record = await readRecord(reply.record, key, keyRing?.keys ?? [], options);
    if (typeof record === 'string' || record.generation !== reply.pageGeneration) {
      onUnreadable(typeof record === 'string' ? record : 'damaged');
      return undefined;
    }
    const { body, first, generation } = record;
    const [now, wall] = [clock.monotonic(), clock.now()];
    const stored = { kind: 'page', fetchedAt: record.fetchedAt, until: record.freshUntil } as const;
    const { fetchedAt, until, goneAt } = timesOf(stored, wall, this.#options);
    if (goneAt <= wall) return undefined;
    if (of.kind === 'first' && generation === reply.generation) {
      generations.firstPageArrived(of.walk, of.limit, { etag: body.etag, firstRow: first }, generation);
    }
    const times = { fetchedAt: now - wall + fetchedAt, freshUntil: now - wall + until };
    return pageOf(body, { ...times, generation, failedAt: undefined });
  }

  /** Arguments with this instance's view of the walk. */
  #ownView(page: PageOfWalk): (string | number)[] {
    const { redis, generations, keys } = this.#parts;
    const { generation, newest, firstPages } = generations.of(page.walk);
    const etag = page.kind === 'first' ? firstPages.get(page.limit) : undefined;
    const newestKnown = newest === undefined ? '' : keys.digestOfRow(newest);
    const tag = etag === undefined ? '' : keys.digestOfTag(etag);
    return [redis.channel, generation, newestKnown, keys.fieldOf(page), tag, keys.walkLifeMs];
  }
}

/** @param now monotonic time */
function isGoodEnough({ fetchedAt, freshUntil }: Page, { notBefore, mayBeStale }: Wanted, now: number): boolean {
  return fetchedAt >= notBefore - roundingMs && (freshUntil > now || mayBeStale);
}
