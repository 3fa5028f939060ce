/**
 * The pages that instances share: in Redis, behind those in memory. One call for a page, whichever instance misses it.
 *
 * The first instance to ask for a page that is not there gets the call (a lock, held for as long as the holder lives). The others
 * wait for the news of it, which every instance hears: that it has come, or why it will not.
 */
import { z } from 'zod';
import { type Clock, sleep } from '../clock.ts';
import { parseJson } from '../model/json.ts';
import { Problem } from '../problems.ts';
import { type Demand, urgencies } from '../quota/demand.ts';
import type { Digest } from '../redis/digests.ts';
import { HeldLock, lockMs } from '../redis/lock.ts';
import type { Redis } from '../redis/redis.ts';
import type { Reply, Script } from '../redis/scripts.ts';
import type { KeyRing } from '../storage/key-ring.ts';
import { type ArrivedPage, differs, isUnchanged, type Walks } from './generations.ts';
import { type Page, type PageBody, pageOf } from './page.ts';
import { confirm, look, maxAheadMs, purge, refuse, release, store } from './page-scripts.ts';
import { type ReadOptions, readRecord, recordVersion, type Unreadable, writeRecord } from './record.ts';

/** What is remembered of a question that cannot be answered. */
export type RefusalCode = z.output<typeof refusalCode>;
const refusalCode = z.enum([
  ...(['campaign-not-found', 'invalid-cursor'] as const),
  ...(['upstream-failed', 'upstream-busy', 'upstream-timeout'] as const),
]);

/** What to remember of a problem; undefined where the same question may be answered the next time. */
export function refusalCodeOf({ code, isLasting }: Problem): RefusalCode | undefined {
  const { data } = refusalCode.safeParse(code);
  return data === 'campaign-not-found' || data === 'invalid-cursor' || isLasting ? data : undefined;
}

interface Parts {
  readonly redis: Redis;
  readonly walks: Walks;
  readonly clock: Clock;
  /** Undefined where pages are kept as they are. */
  readonly keys: KeyRing | undefined;
  /** Of what is known by the content: tags, first sends, cursors. */
  readonly digest: Digest;
  /** Names of the teams that there are, on whose account a call can be. */
  readonly teams: ReadonlySet<string>;
  /** Called with records that are of no use. */
  readonly onUnreadable: (why: Unreadable) => void;
}

interface SharedPagesOptions {
  /** What else decides what a page looks like. */
  readonly namespace: string;
  /** How long a page is kept past its freshness, and a walk's generation past its last head. */
  readonly staleIfErrorSeconds: number;
  readonly maxFreshSeconds: number;
  /** How long a refusal is remembered. */
  readonly notFoundSeconds: number;
  /** Bytes of the largest content that a page can have. */
  readonly maxPageBytes: number;
  /** The longest wait for another instance's call. */
  readonly maxWaitMs: number;
}

/** Where a page stands. */
export interface Place {
  readonly walk: string;
  /** Of a head; undefined for a page behind a cursor. */
  readonly limit: number | undefined;
  readonly cursor: string | undefined;
}

export interface Wish {
  /** Monotonic time in milliseconds: nothing that was fetched before is good enough. */
  readonly notBefore: number;
  /** A page that is not fresh any more will do. */
  readonly mayBeStale: boolean;
  /** What is held, so that the same is not unpacked again. */
  readonly known: PageBody | undefined;
  /** Makes the page again, out of its content. */
  readonly rebuild: ReadOptions['rebuild'];
}

export type Seen =
  /** `waited`: for another instance's call. */
  | { readonly kind: 'page'; readonly page: Page; readonly waited: boolean }
  /** `until`: monotonic, in milliseconds. */
  | { readonly kind: 'refusal'; readonly code: RefusalCode; readonly until: number }
  /** The call is ours to make, and its outcome ours to tell. */
  | { readonly kind: 'turn'; readonly turn: Turn; readonly fallback: Page | undefined };

/** The one who has it makes the call. It ends with one of these, which never reject. */
export interface Turn {
  /** Resolves with the page's generation, or with undefined when Redis did not take it. */
  stored(page: Omit<Page, 'kind' | 'generation' | 'failedAt'>, arrived: ArrivedPage): Promise<number | undefined>;
  /** @param forMs how long it is remembered */
  refused(code: RefusalCode, forMs: number): void;
  failed(problem: Problem | undefined): void;
  /** The call was of no use for this page: an instance that waits for it takes the turn. */
  released(): void;
}

/** The news may be a moment behind the lock's end. */
const slackMs = 10;
/** A time that no page is fetched after. */
const never = Number.MAX_SAFE_INTEGER;
/** Generations come from the clock, a thousand for each millisecond, and a step each: a day ahead is none of ours. */
const dayMs = 86_400_000;
/** A message that is longer names no page of ours. */
const maxKeyLength = 300;
/** A record is its content, in Brotli at the worst a little longer, and a header with a cursor. */
const recordOverheadBytes = 64 * 1024;

interface News {
  /** Resolves with the problem, or an empty text. */
  readonly come: Promise<string>;
  cancel(): void;
}

export class SharedPages {
  readonly #parts: Parts;
  readonly #options: SharedPagesOptions;
  readonly #walkPrefix: string;
  readonly #awaited = new Map<string, Set<(problem: string) => void>>();
  /** Demands of the calls that this instance makes, by page. */
  readonly #demands = new Map<string, Demand>();
  #turns = 0;
  #onPurge: (campaign: string | undefined) => void = () => {};

  constructor(parts: Parts, options: SharedPagesOptions) {
    const { redis, walks, teams } = parts;
    this.#parts = parts;
    this.#options = options;
    // In keys of their own, instances of two versions leave each other's alone.
    this.#walkPrefix = redis.key(`{${recordVersion}|${options.namespace}|`);
    redis.on('page', (key, problem = '') => {
      for (const tell of this.#awaited.get(key ?? '') ?? []) tell(problem);
    });
    redis.on('walk', (key = '', generation) => {
      if (!key.startsWith(this.#walkPrefix) || key.length > this.#walkPrefix.length + maxKeyLength) return;
      walks.adopt(key.slice(this.#walkPrefix.length, -1), this.#generationOf(generation));
    });
    redis.on('purge', (namespace, campaign = '') => {
      if (namespace === options.namespace) this.#onPurge(campaign === '' ? undefined : campaign);
    });
    redis.on('raise', (key = '', team = '', rank) => {
      const demand = this.#demands.get(key);
      const { team: payingTeam, client } = demand ?? { team };
      const payer = teams.has(team) ? { team } : { team: payingTeam, client };
      demand?.join(payer, urgencies[Number(rank)] ?? 'bulk');
    });
  }

  /** Whether the generation of a walk may have changed unnoticed. */
  isDoubtful(walk: string): boolean {
    const { redis, walks } = this.#parts;
    return redis.isUp && walks.of(walk).confirmedIn !== redis.session;
  }

  /** Learns the present generation of a walk, if Redis helps. */
  async confirm(walk: string): Promise<void> {
    const { redis, walks } = this.#parts;
    const { session } = redis;
    const keys = this.#keys({ walk, limit: undefined, cursor: undefined });
    const reply = await redis.run(confirm, [...keys, ...this.#ownView(walk, undefined), this.#highest()]);
    if (reply !== undefined) walks.confirm(walk, this.#generationOf(reply), session);
  }

  /** Has `listener` told when an instance, this one too, has all pages forgotten, or those of one campaign. */
  onPurge(listener: (campaign: string | undefined) => void): void {
    this.#onPurge = listener;
  }

  /**
   * Has all instances forget what they hold of a campaign, or of all. Resolves with false when Redis did not help to the
   * end. An instance that cannot be reached at the moment learns of the new generations when it is back.
   */
  async purge(campaign: string | undefined): Promise<boolean> {
    const { redis, walks } = this.#parts;
    const begin = campaign === undefined ? '' : `${campaign}|`;
    redis.publish('purge', this.#options.namespace, campaign ?? '');
    return redis.eachKey(`${this.#walkPrefix}${begin}*`, async (keys) => {
      const forget = (key: string) => {
        const walk = key.slice(0, key.indexOf('}') + 1);
        const values = [redis.channel, walks.next(), this.#walkLifeMs(), this.#highest()];
        return redis.run(purge, [key, `${key}:lock`, walk, ...values]);
      };
      const replies = await Promise.all(keys.map(forget));
      if (replies.includes(undefined)) throw new Error('Redis has become unavailable');
    });
  }

  /**
   * The page, if it is there; else the call, or what comes of another instance's. Without Redis the call is ours.
   *
   * @param signal ends the wait for another instance's call
   * @throws Problem with which another instance's call has ended, or the signal's reason
   */
  async look(place: Place, wish: Wish, demand: Demand, signal: AbortSignal): Promise<Seen> {
    const { redis, walks, clock } = this.#parts;
    const keys = this.#keys(place);
    const token = `${redis.instance}-${this.#turns++}`;
    const giveUpAt = clock.monotonic() + this.#options.maxWaitMs;
    let { notBefore } = wish;
    for (let waited = false; ; ) {
      const news = this.#await(keys[0]);
      try {
        const { session } = redis;
        const reply = await redis.run(look, [
          ...keys,
          ...this.#ownView(place.walk, place.limit),
          ...[clock.now(), Math.min(Math.max(0, this.#toWall(notBefore)), never), Number(wish.mayBeStale)],
          ...[token, lockMs, urgencies.indexOf(demand.urgency), demand.team],
          ...[this.#options.maxPageBytes + recordOverheadBytes, this.#options.maxFreshSeconds * 1000],
          ...[this.#options.notFoundSeconds * 1000, maxAheadMs, this.#highest()],
        ]);
        const found = this.#parse(reply);
        if (!found) return this.#turn(place, keys, undefined, demand, undefined);
        walks.confirm(place.walk, found.generation, session);
        const read = await this.#read(keys[0], place, found, wish);
        if (found.kind === 'turn') return this.#turn(place, keys, token, demand, read);
        if (found.kind === 'page') {
          if (isRefusal(found.refusal))
            return { kind: 'refusal', code: found.refusal, until: clock.monotonic() + this.#leftMs(found) };
          if (read) return { kind: 'page', page: read, waited };
          notBefore = never; // It cannot be read: we go for another.
          continue;
        }
        waited = true;
        if (clock.monotonic() > giveUpAt) throw new Problem('upstream-timeout', { reason: 'other-instance' });
        throwIfTold(await this.#wait(news, found.lockMs + slackMs, signal));
      } finally {
        news.cancel();
      }
    }
  }

  async #read(key: string, place: Place, found: Found, { known, rebuild }: Wish): Promise<Page | undefined> {
    const { keys, walks, onUnreadable } = this.#parts;
    if (found.record.length === 0 || !Number.isFinite(found.fetchedAt + found.until)) return undefined;
    const options = { known, rebuild, maxIdentityBytes: this.#options.maxPageBytes };
    const record = await readRecord(found.record, key, keys?.keys ?? [], options);
    if (typeof record === 'string') {
      onUnreadable(record);
      return undefined;
    }
    const { body, first } = record;
    if (place.limit !== undefined && found.pageGeneration === found.generation) {
      walks.headArrived(place.walk, { limit: place.limit, etag: body.etag, first }, found.generation);
    }
    const { clock } = this.#parts;
    const now = clock.monotonic();
    return pageOf(body, {
      fetchedAt: now - Math.max(0, clock.now() - found.fetchedAt),
      freshUntil: now + this.#leftMs(found),
      generation: found.pageGeneration,
      failedAt: undefined,
    });
  }

  /** For how long what was found is fresh, or remembered. */
  #leftMs({ until }: Found): number {
    return until - this.#parts.clock.now();
  }

  /** Wall time of a monotonic one, which is what instances have in common. */
  #toWall(monotonicMs: number): number {
    const { clock } = this.#parts;
    return Math.round(clock.now() - clock.monotonic() + monotonicMs);
  }

  #turn(place: Place, keys: Keys, token: string | undefined, demand: Demand, found: Page | undefined): Seen {
    const { redis, clock, walks } = this.#parts;
    const [page, lockKey] = keys;
    const lock =
      token === undefined
        ? undefined
        : new HeldLock((script, values) => redis.run(script, values), clock, lockKey, token);
    if (lock) this.#demands.set(page, demand);
    const done = () => {
      lock?.stopRenewing();
      if (this.#demands.get(page) === demand) this.#demands.delete(page);
    };
    const tell = async (script: Script, values: readonly (string | number | Buffer)[]) => {
      const reply = await redis.run(script, [...keys, redis.channel, token ?? '-', ...values, this.#highest()]);
      done();
      return reply;
    };
    const turn: Turn = {
      stored: async (arrived, about) => {
        const { walk } = place;
        const reply = await tell(store, this.#toStore(walk, page, arrived, about));
        if (!Array.isArray(reply)) return undefined;
        const [generation = 0, belongs = 0] = reply.map((one) => this.#generationOf(one));
        if (about.limit === undefined) walks.adopt(walk, generation);
        else walks.headArrived(walk, { ...about, limit: about.limit }, generation);
        return belongs;
      },
      refused: (code, forMs) => {
        const now = clock.now();
        void tell(refuse, [code, now, now + forMs, forMs]);
      },
      failed: (problem) => {
        const { code, reason, retryAfterSeconds } = problem ?? new Problem('internal-error');
        void tell(release, [JSON.stringify({ code, reason, retryAfterSeconds })]);
      },
      released: () => void tell(release, ['']),
    };
    const isCurrent = found?.generation === walks.of(place.walk).generation;
    return { kind: 'turn', turn, fallback: place.limit !== undefined || isCurrent ? found : undefined };
  }

  #toStore(
    walk: string,
    key: string,
    { body, fetchedAt, freshUntil }: Omit<Page, 'kind' | 'generation' | 'failedAt'>,
    about: ArrivedPage,
  ): (string | number | Buffer)[] {
    const { walks, clock, keys } = this.#parts;
    const { staleIfErrorSeconds } = this.#options;
    const { limit, etag, first, askedIn } = about;
    const known = walks.of(walk);
    const same = limit !== undefined && isUnchanged(known, { limit, etag, first }) ? known.generation : 0;
    return [
      ...[headField(limit), this.#tag(etag), this.#newest(first), askedIn, Number(differs(about)), same, walks.next()],
      ...[this.#toWall(fetchedAt), this.#toWall(freshUntil)],
      Math.ceil(freshUntil - clock.monotonic() + staleIfErrorSeconds * 1000),
      ...[this.#walkLifeMs(), writeRecord({ body, first }, key, keys?.keys ?? [])],
    ];
  }

  #parse(reply: Reply | undefined): Found | undefined {
    if (!Array.isArray(reply)) return undefined;
    const [kind, generation, pageGeneration, fetchedAt, until, record, refusal, lock] = reply;
    const { maxFreshSeconds, notFoundSeconds } = this.#options;
    const fetched = Number(fetchedAt);
    const code = String(refusal);
    const longestMs = (isRefusal(code) ? notFoundSeconds : maxFreshSeconds) * 1000;
    if (kind === undefined || !isKind(String(kind))) return undefined;
    return {
      kind: String(kind) as Found['kind'],
      generation: this.#generationOf(generation),
      pageGeneration: this.#generationOf(pageGeneration),
      fetchedAt: fetched <= this.#parts.clock.now() + maxAheadMs ? fetched : Number.NaN,
      until: Math.min(Number(until), fetched + longestMs),
      record: Buffer.isBuffer(record) ? record : Buffer.alloc(0),
      refusal: code,
      lockMs: Math.min(Math.max(0, Number(lock) || 0), lockMs),
    };
  }

  #keys({ walk, limit, cursor }: Place): Keys {
    // All keys of a walk stand in one slot of a cluster. A cursor may be long, and is nobody's business.
    const stem = `${this.#walkPrefix}${walk}}`;
    const which = limit === undefined ? `next=${this.#parts.digest('cursor', cursor ?? '')}` : `limit=${limit}`;
    const page = `${stem}:${which}`;
    return [page, `${page}:lock`, stem];
  }

  /** What this instance knows of the walk. */
  #ownView(walk: string, limit: number | undefined): (string | number)[] {
    const { redis, walks } = this.#parts;
    const { generation, newest, heads } = walks.of(walk);
    const etag = limit === undefined ? undefined : heads.get(limit);
    const newestKnown = newest === undefined ? '' : this.#newest(newest);
    const tag = etag === undefined ? '' : this.#tag(etag);
    return [redis.channel, generation, newestKnown, headField(limit), tag, this.#walkLifeMs()];
  }

  /** What is known by the content is no more than a digest in Redis: from itself, a guessed address could be confirmed. */
  #tag(etag: string): string {
    return this.#parts.digest('etag', etag);
  }

  #newest(first: string): string {
    return this.#parts.digest('first', first);
  }

  /** The highest generation that there can be: walks could not move on from one that is far ahead. */
  #highest(): number {
    return Math.floor(this.#parts.clock.now() + dayMs) * 1000;
  }

  /** What is none is the lowest, and never the present one. */
  #generationOf(text: unknown): number {
    const generation = Number(text);
    return Number.isSafeInteger(generation) && generation > 0 && generation <= this.#highest() ? generation : 0;
  }

  #walkLifeMs(): number {
    return (this.#options.maxFreshSeconds + this.#options.staleIfErrorSeconds) * 1000;
  }

  /** Listens from now on: the news may be quicker than the reply that says to wait for it. */
  #await(key: string): News {
    const listeners = this.#awaited.get(key) ?? new Set();
    this.#awaited.set(key, listeners);
    let tell: (problem: string) => void = () => {};
    const come = new Promise<string>((resolve) => {
      tell = resolve;
    });
    listeners.add(tell);
    return {
      come,
      cancel: () => {
        listeners.delete(tell);
        if (listeners.size === 0) this.#awaited.delete(key);
      },
    };
  }

  async #wait(news: News, ms: number, signal: AbortSignal): Promise<string> {
    const over = new AbortController();
    try {
      const waking = AbortSignal.any([signal, over.signal]);
      return await Promise.race([news.come, sleep(this.#parts.clock, ms, waking).then(() => '')]);
    } finally {
      over.abort();
    }
  }
}

type Keys = readonly [page: string, lock: string, walk: string];

interface Found {
  readonly kind: 'page' | 'turn' | 'wait';
  readonly generation: number;
  readonly pageGeneration: number;
  readonly fetchedAt: number;
  readonly until: number;
  readonly record: Buffer;
  readonly refusal: string;
  readonly lockMs: number;
}

/** Another instance's call has ended without a page. Where that was for reasons of its caller, the next one goes on. */
function throwIfTold(text: string): void {
  const { code, reason, retryAfterSeconds } = told(text);
  if (code !== undefined && reason !== 'abandoned' && reason !== 'share')
    throw new Problem(code, { reason, retryAfterSeconds });
}

/** What a call can end with, that is not remembered as a refusal. */
const problem = z.object({
  code: z
    .enum([
      'upstream-failed',
      'upstream-busy',
      'upstream-timeout',
      'upstream-quota-exhausted',
      'upstream-credentials-refused',
      'upstream-gone',
      'internal-error',
    ])
    .optional(),
  reason: z
    .string()
    .regex(/^[\w-]{1,40}$/)
    .optional(),
  retryAfterSeconds: z.int().nonnegative().max(86_400).optional(),
});

function told(text: string): z.output<typeof problem> {
  try {
    return problem.parse(parseJson(text));
  } catch {
    return {};
  }
}

const isRefusal = (text: string): text is RefusalCode => refusalCode.safeParse(text).success;
const headField = (limit: number | undefined) => (limit === undefined ? '' : `h${limit}`);
const isKind = (text: string) => text === 'page' || text === 'turn' || text === 'wait';
