/**
 * The pages that instances share: in Redis, behind those in memory. One call for a page, whoever misses it.
 *
 * Whoever asks for a page that is not there gets the call (a lock, held for as long as the holder lives) or waits for
 * the news of it, which every instance hears: that it has come, or why it will not.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Clock, sleep } from '../clock.ts';
import { Problem, problemCodes } from '../problems.ts';
import type { KeyRing } from '../redis/key-ring.ts';
import type { Redis, Reply, Script } from '../redis/redis.ts';
import { type Demand, urgencies } from '../upstream/quota/demand.ts';
import { type Page, type PageBody, pageOf } from './page.ts';
import { readRecord, recordVersion, type Unreadable, writeRecord } from './record.ts';
import { type ArrivedPage, differs, isUnchanged, type Walks } from './walks.ts';

/** What is remembered of a question that cannot be answered. */
export type RefusalCode = z.output<typeof refusalCode>;
const refusalCode = z.enum(['campaign-not-found', 'invalid-cursor', 'upstream-failed', 'upstream-timeout']);

/** What to remember of a problem; undefined where the same question may be answered the next time. */
export function refusalOf({ code, isLasting }: Problem): RefusalCode | undefined {
  const { data } = refusalCode.safeParse(code);
  return data === 'campaign-not-found' || data === 'invalid-cursor' || isLasting ? data : undefined;
}

interface Parts {
  readonly redis: Redis;
  readonly walks: Walks;
  readonly clock: Clock;
  /** Undefined where pages are kept as they are. */
  readonly keys: KeyRing | undefined;
  /** Told of records that are of no use. */
  readonly onUnreadable: (why: Unreadable) => void;
}

interface SharedPagesOptions {
  /** What else decides what a page looks like. */
  readonly namespace: string;
  /** How long a page is kept past its freshness, and a walk's generation past its last head. */
  readonly staleIfErrorSeconds: number;
  readonly maxFreshSeconds: number;
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
}

/** A lock whose holder has not renewed it for so long is free: it has died, or stood still. */
const lockMs = 1_200;
const renewEveryMs = 400;
/** The news may be a moment behind the lock's end. */
const slackMs = 10;

/** The wall clocks of two instances may differ by this: what was fetched later than that from now is stale. */
const skewMs = 5_000;
/** A time that no page is fetched after. */
const never = Number.MAX_SAFE_INTEGER;

/** Shared by the scripts: keys are the page, its lock, its walk. What is not ours in a key is nothing. */
const prelude = `
  local function field(key, name)
    local value = redis.pcall('HGET', key, name)
    if type(value) == 'table' and value.err then redis.call('DEL', key) return false end
    return value
  end
  local generation = field(KEYS[3], 'g')
  if generation and not tonumber(generation) then redis.call('DEL', KEYS[3]) generation = false end
  local function tell(...) redis.call('PUBLISH', ARGV[1], cjson.encode({...})) end
  local function begin(new, newest, life)
    generation = new
    redis.call('DEL', KEYS[3])
    redis.call('HSET', KEYS[3], 'g', new)
    if newest ~= '' then redis.call('HSET', KEYS[3], 'n', newest) end
    redis.call('PEXPIRE', KEYS[3], life)
    tell('walk', KEYS[3], new)
  end
  local function holds(token)
    local holder = redis.pcall('GET', KEYS[2])
    return type(holder) == 'string' and string.match(holder, '^(%S+) ') == token
  end
  local function unlock(token)
    if holds(token) then redis.call('DEL', KEYS[2]) end
  end
`;

/** ARGV: channel, own generation, its newest, head field, its tag, walk's life. Returns the present generation. */
const confirmLua = `
  if tonumber(ARGV[2]) > tonumber(generation or '0') then
    begin(ARGV[2], ARGV[3], ARGV[6])
    if ARGV[4] ~= '' and ARGV[5] ~= '' then redis.call('HSET', KEYS[3], ARGV[4], ARGV[5]) end
  end
  generation = generation or '0'
`;

const confirm: Script = {
  name: 'sendgateConfirm',
  keys: 3,
  lua: `${prelude}${confirmLua} return generation`,
};

/** ARGV further: now, not before, may be stale, token, lock's life, rank of the urgency, team, skew of clocks. */
const look: Script = {
  name: 'sendgateLook',
  keys: 3,
  lua: `${prelude}${confirmLua}
    local page = redis.pcall('HMGET', KEYS[1], 'g', 'f', 'u', 'r', 'x')
    if page.err then redis.call('DEL', KEYS[1]) page = {} end
    for i = 1, 5 do page[i] = page[i] or '' end
    local fetched, till = tonumber(page[2]), tonumber(page[3])
    if fetched and till and page[1] == generation and fetched >= tonumber(ARGV[8]) and fetched <= ARGV[7] + ARGV[14]
        and (till > tonumber(ARGV[7]) or (ARGV[9] == '1' and page[4] ~= '')) then
      return {'page', generation, page[1], page[2], page[3], page[4], page[5], 0}
    end
    if redis.call('SET', KEYS[2], ARGV[10] .. ' ' .. ARGV[12], 'NX', 'PX', ARGV[11]) then
      return {'turn', generation, page[1], page[2], page[3], page[4], page[5], 0}
    end
    local lock, life = redis.pcall('GET', KEYS[2]), redis.call('PTTL', KEYS[2])
    local holder, rank = string.match(type(lock) == 'string' and lock or '', '^(%S+) (%d)$')
    if not rank or life < 0 then redis.call('DEL', KEYS[2]) life = 0 end
    if rank and tonumber(ARGV[12]) < tonumber(rank) then
      redis.call('SET', KEYS[2], holder .. ' ' .. ARGV[12], 'XX', 'KEEPTTL')
      tell('raise', KEYS[1], ARGV[13], ARGV[12])
    end
    return {'wait', generation, '', '', '', '', '', life}`,
};

/**
 * ARGV: channel, token, head field, tag, first, asked in, differs, generation of the same head, a new one, fetched,
 * until, page's life, walk's life, record. Returns the generation of the walk, and that of the page.
 */
const store: Script = {
  name: 'sendgateStore',
  keys: 3,
  lua: `${prelude}
    local belongs = ARGV[6]
    if ARGV[3] ~= '' then
      if not generation and ARGV[8] ~= '0' then
        begin(ARGV[8], ARGV[5], ARGV[13])
      else
        local tag = field(KEYS[3], ARGV[3])
        local known = tonumber(generation or '0')
        if not generation or known < tonumber(ARGV[8]) or field(KEYS[3], 'n') ~= ARGV[5] or (tag and tag ~= ARGV[4]) then
          begin(string.format('%.0f', math.max(tonumber(ARGV[9]), known + 1)), ARGV[5], ARGV[13])
        end
      end
      redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
      redis.call('PEXPIRE', KEYS[3], ARGV[13])
      belongs = generation
    elseif ARGV[7] == '1' and (generation or '0') == belongs then
      begin(string.format('%.0f', math.max(tonumber(ARGV[9]), tonumber(belongs) + 1)), '', ARGV[13])
    end
    if belongs == (generation or '0') then
      redis.call('DEL', KEYS[1])
      redis.call('HSET', KEYS[1], 'g', belongs, 'f', ARGV[10], 'u', ARGV[11], 'r', ARGV[14])
      redis.call('PEXPIRE', KEYS[1], ARGV[12])
    end
    unlock(ARGV[2])
    tell('page', KEYS[1], '')
    return {generation or '0', belongs}`,
};

/** ARGV: channel, token, code, now, until, life. */
const refuse: Script = {
  name: 'sendgateRefuse',
  keys: 3,
  lua: `${prelude}
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'g', generation or '0', 'f', ARGV[4], 'u', ARGV[5], 'x', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], ARGV[6])
    unlock(ARGV[2])
    tell('page', KEYS[1], '')
    return 1`,
};

/** ARGV: channel, token, the problem. */
const release: Script = {
  name: 'sendgateRelease',
  keys: 3,
  lua: `${prelude} unlock(ARGV[2]) tell('page', KEYS[1], ARGV[3]) return 1`,
};

/** ARGV: channel, token, life. */
const renew: Script = {
  name: 'sendgateRenew',
  keys: 3,
  lua: `${prelude} return holds(ARGV[2]) and redis.call('PEXPIRE', KEYS[2], ARGV[3]) or 0`,
};

/** ARGV: channel, a new generation, walk's life. The key is the page's, its lock's or the walk's own. */
const purge: Script = {
  name: 'sendgatePurge',
  keys: 3,
  lua: `${prelude}
    redis.call('DEL', KEYS[1])
    if KEYS[1] == KEYS[3] then
      begin(string.format('%.0f', math.max(tonumber(ARGV[2]), tonumber(generation or '0') + 1)), '', ARGV[3])
    end
    return 1`,
};

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
    const { redis, walks } = parts;
    this.#parts = parts;
    this.#options = options;
    this.#walkPrefix = redis.key(`{${options.namespace}|`);
    redis.on('page', (key, problem = '') => {
      for (const tell of this.#awaited.get(key ?? '') ?? []) tell(problem);
    });
    redis.on('walk', (key = '', generation) => {
      if (!key.startsWith(this.#walkPrefix)) return;
      walks.adopt(key.slice(this.#walkPrefix.length, -1), generationOf(generation));
    });
    redis.on('purge', (namespace, campaign = '') => {
      if (namespace === options.namespace) this.#onPurge(campaign === '' ? undefined : campaign);
    });
    redis.on('raise', (key = '', team = '', rank) => {
      this.#demands.get(key)?.join({ team }, urgencies[Number(rank)] ?? 'bulk');
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
    const reply = await redis.run(confirm, [...keys, ...this.#ownView(walk, undefined)]);
    if (reply !== undefined) walks.confirm(walk, generationOf(reply), session);
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
    const of = campaign === undefined ? [''] : [`${campaign}}`, `${campaign}|`];
    redis.publish('purge', this.#options.namespace, campaign ?? '');
    for (const begin of of) {
      const isDone = await redis.eachKey(`${this.#walkPrefix}${begin}*`, async (keys) => {
        const forget = (key: string) => {
          const walk = key.slice(0, key.indexOf('}') + 1);
          return redis.run(purge, [key, `${key}:lock`, walk, redis.channel, walks.next(), this.#walkLifeMs()]);
        };
        const replies = await Promise.all(keys.map(forget));
        if (replies.includes(undefined)) throw new Error('Redis does not help any more');
      });
      if (!isDone) return false;
    }
    return true;
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
          ...[
            clock.now(),
            Math.min(Math.max(0, this.#toWall(notBefore)), never),
            Number(wish.mayBeStale),
            token,
            lockMs,
          ],
          ...[urgencies.indexOf(demand.urgency), demand.team, skewMs],
        ]);
        const found = parse(reply);
        if (!found) return this.#turn(place, keys, undefined, demand, undefined);
        walks.confirm(place.walk, found.generation, session);
        const read = this.#read(keys[0], place, found, wish.known);
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

  #read(key: string, place: Place, found: Found, known: PageBody | undefined): Page | undefined {
    const { keys, walks, onUnreadable } = this.#parts;
    if (found.record.length === 0) return undefined;
    const record = readRecord(found.record, key, keys?.keys ?? [], known);
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

  /** For how long what was found is fresh, or remembered: not at all where it is from the future. */
  #leftMs({ fetchedAt, until }: Found): number {
    const now = this.#parts.clock.now();
    return fetchedAt > now + skewMs ? 0 : Math.min(until - now, this.#options.maxFreshSeconds * 1000);
  }

  /** Wall time of a monotonic one, which is what instances have in common. */
  #toWall(monotonicMs: number): number {
    const { clock } = this.#parts;
    return Math.round(clock.now() - clock.monotonic() + monotonicMs);
  }

  #turn(place: Place, keys: Keys, token: string | undefined, demand: Demand, found: Page | undefined): Seen {
    const { redis, clock, walks } = this.#parts;
    const [page] = keys;
    let cancelRenewal = () => {};
    const renewal = () => {
      cancelRenewal = clock.after(renewEveryMs, () => {
        void redis.run(renew, [...keys, redis.channel, token ?? '', lockMs]);
        renewal();
      });
    };
    if (token !== undefined) {
      renewal();
      this.#demands.set(page, demand);
    }
    const done = () => {
      cancelRenewal();
      if (this.#demands.get(page) === demand) this.#demands.delete(page);
    };
    const tell = async (script: Script, values: readonly (string | number | Buffer)[]) => {
      const reply = await redis.run(script, [...keys, redis.channel, token ?? '-', ...values]);
      done();
      return reply;
    };
    const turn: Turn = {
      stored: async (arrived, about) => {
        const { walk } = place;
        const reply = await tell(store, this.#toStore(walk, page, arrived, about));
        if (!Array.isArray(reply)) return undefined;
        const [generation = 0, belongs = 0] = reply.map(Number);
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
      ...[headField(limit), etag, newestField(first), askedIn, Number(differs(about)), same, walks.next()],
      ...[this.#toWall(fetchedAt), this.#toWall(freshUntil)],
      Math.ceil(freshUntil - clock.monotonic() + staleIfErrorSeconds * 1000),
      ...[this.#walkLifeMs(), writeRecord({ body, first }, key, keys?.keys ?? [])],
    ];
  }

  #keys({ walk, limit, cursor }: Place): Keys {
    // All keys of a walk stand in one slot of a cluster. A cursor may be long, and is nobody's business.
    const stem = `${this.#walkPrefix}${walk}}`;
    const page = `${stem}:${recordVersion}:${limit === undefined ? `next=${digest(cursor ?? '')}` : `limit=${limit}`}`;
    return [page, `${page}:lock`, stem];
  }

  /** What this instance knows of the walk. */
  #ownView(walk: string, limit: number | undefined): (string | number)[] {
    const { redis, walks } = this.#parts;
    const { generation, newest, heads } = walks.of(walk);
    const tag = limit === undefined ? undefined : heads.get(limit);
    const newestKnown = newest === undefined ? '' : newestField(newest);
    return [redis.channel, generation, newestKnown, headField(limit), tag ?? '', this.#walkLifeMs()];
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

function parse(reply: Reply | undefined): Found | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [kind, generation, pageGeneration, fetchedAt, until, record, refusal, lock] = reply;
  return {
    kind: String(kind) as Found['kind'],
    generation: generationOf(generation),
    pageGeneration: Number(pageGeneration),
    fetchedAt: Number(fetchedAt),
    until: Number(until),
    record: Buffer.isBuffer(record) ? record : Buffer.alloc(0),
    refusal: String(refusal),
    lockMs: Number(lock),
  };
}

/** Another instance's call has ended without a page. Where that was for reasons of its caller, the next one goes on. */
function throwIfTold(text: string): void {
  const { code, reason, retryAfterSeconds } = told(text);
  if (code !== undefined && reason !== 'abandoned' && reason !== 'share')
    throw new Problem(code, { reason, retryAfterSeconds });
}

const problem = z.object({
  code: z.enum(problemCodes).optional(),
  reason: z
    .string()
    .regex(/^[\w-]{1,40}$/)
    .optional(),
  retryAfterSeconds: z.int().nonnegative().optional(),
});

function told(text: string): z.output<typeof problem> {
  try {
    return problem.parse(JSON.parse(text));
  } catch {
    return {};
  }
}

/** What is none is the lowest, and never the present one. */
function generationOf(text: unknown): number {
  const generation = Number(text);
  return Number.isSafeInteger(generation) && generation > 0 ? generation : 0;
}

const isRefusal = (text: string): text is RefusalCode => refusalCode.safeParse(text).success;
const headField = (limit: number | undefined) => (limit === undefined ? '' : `h${limit}`);
const newestField = (first: string) => `=${first}`;
const digest = (text: string) => createHash('sha256').update(text).digest('base64url').slice(0, 32);
