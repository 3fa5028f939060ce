/**
 * How often one client may ask: the inbound limit, in front of cache and upstream alike.
 */
import { createHmac } from 'node:crypto';
import type { RequestHandler } from 'express';
import { type ClientRateLimitInfo, rateLimit, type Store } from 'express-rate-limit';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../clock.ts';
import { inOnePiece } from '../../http/header-block.ts';
import { type Exchange, exchangeOf } from '../../http/request-context.ts';
import { Problem } from '../../problems.ts';
import type { Digest } from '../../redis/digests.ts';
import type { Redis, Script } from '../../redis/redis.ts';
import { formatIp, type Ip, isIpv4 } from '../ip.ts';
import type { Team } from '../teams.ts';

export interface RateLimitOptions {
  /** Of each client that belongs to no team with a limit of its own. */
  readonly requestsPerMinute: number;
  /** Clients counted at the same time; past it the longest unseen is forgotten. */
  readonly maxClients: number;
}

const windowMs = 60_000;

/** Who asks, and as whom that is counted. */
export interface Client {
  /** Team and network: also where the team is counted as a whole, its clients share with each other. */
  readonly name: string;
  /** Under which it is counted: its name, or that of its team. */
  readonly key: string;
  /** The name of its team. */
  readonly policy: string;
  readonly limit: number;
}

/** The policy of those who open the site. No team can have this name. */
const sitePolicy = '(site)';

/** Files of the site for one address a minute: the explorer, opened fifty times. They cost no call, and little else. */
const siteRequestsPerMinute = 600;

/**
 * Counts in windows of a minute and tells it in `RateLimit` and `RateLimit-Policy`, under the name of the team: a team
 * with a limit as a whole, everybody else by client (IPv4 address or IPv6 /56). Past the limit: `rate-limited`.
 *
 * A request that is over the limit is refused before anything else is done for it, and not counted. Of the others, hits
 * are counted by `count`, and all that reaches Express by express-rate-limit.
 *
 * The headers are those of express-rate-limit's `draft-8`, but made here: it hashes the client's key at every request,
 * which cost a sixth of a hit, and without a salt; and it tells the time by another clock.
 */
export class RateLimit {
  readonly #store: BoundedStore;
  readonly #limits: ReadonlyMap<string, number>;
  readonly #limiter: RequestHandler;

  /**
   * @param salt of the keys by which clients are told apart in `RateLimit-Policy`: an address could be guessed from a plain digest
   * @param counting with others; undefined where this is the only one that counts
   * @param onSeen called with a client's key when its window begins: once a minute while it sends requests
   */
  constructor(
    options: RateLimitOptions,
    teams: readonly Team[],
    clock: Clock,
    salt: string,
    counting?: Counting,
    onSeen: (client: string) => void = () => {},
  ) {
    this.#store = new BoundedStore({ maxClients: options.maxClients, clock, salt, counting, onSeen });
    this.#limits = new Map([
      [sitePolicy, siteRequestsPerMinute],
      ...teams.map(({ name, requestsPerMinute }) => [name, requestsPerMinute ?? options.requestsPerMinute] as const),
    ]);
    this.#limiter = rateLimit({
      windowMs,
      limit: (req) => this.#clientIn(exchangeOf(req)).limit,
      standardHeaders: false,
      legacyHeaders: false,
      keyGenerator: (req) => this.#clientIn(exchangeOf(req)).key,
      store: this.#store,
      // A proxy that is not trusted may set what it likes: that is no reason to write to stderr.
      validate: false,
      handler: (req, _res, next) => next(this.#refusal(this.#clientIn(exchangeOf(req)))),
    });
  }

  /** Clients, and teams, that are counted. */
  get clients(): number {
    return this.#store.size;
  }

  /** As which client a request is counted. */
  clientOf(team: Team, ip: Ip | undefined): Client {
    const { name, requestsPerMinute } = team;
    const client = `${name} ${networkOf(ip)}`;
    return this.#client(name, client, requestsPerMinute === undefined ? client : name);
  }

  /** Who opens the site, counted apart from what the same address asks of the resources. */
  visitorOf(ip: Ip | undefined): Client {
    return this.#client(sitePolicy, `${sitePolicy} ${networkOf(ip)}`);
  }

  /** @throws Problem `rate-limited` when the next request would be one too many; counts nothing */
  check(client: Client, exchange: Exchange): void {
    if (this.#store.hasRoom(client)) return;
    exchange.head += this.#store.lines(client);
    throw this.#refusal(client);
  }

  /** Counts a request that has been checked, and returns lines of its head. */
  count(client: Client): string {
    return this.#store.count(client);
  }

  /** Counts a request that has been checked and is no hit. Many that came at once may have been checked before any was counted. */
  readonly middleware: RequestHandler = (req, res, next) => {
    const exchange = exchangeOf(req);
    this.#limiter(req, res, (error?: unknown) => {
      exchange.head += this.#store.lines(this.#clientIn(exchange));
      next(error);
    });
  };

  /** Whose request Express has: the one that was checked ahead of it. */
  #clientIn({ client }: Exchange): Client {
    if (client === undefined) throw new Error('the rate limit has not been checked');
    return client;
  }

  #client(policy: string, name: string, key = name): Client {
    return { name, key, policy, limit: this.#limits.get(policy) ?? 0 };
  }

  #refusal({ key }: Client): Problem {
    return new Problem('rate-limited', { retryAfterSeconds: Math.max(1, this.#store.secondsLeft(key)) });
  }
}

/** Who is counted as one: of IPv6 the /56, since a household or a rented server has a whole one to send from (RFC 6177). */
export function networkOf(ip: Ip | undefined): string {
  if (ip === undefined) return 'unknown';
  if (isIpv4(ip)) return formatIp(ip);
  const [first, second, third, fourth = 0] = ip;
  return `${first?.toString(16)}:${second?.toString(16)}:${third?.toString(16)}:${(fourth & 0xff00).toString(16)}::/56`;
}

/** The team in the key of a client. */
export const teamOfClient = (client: string) => client.split(' ', 1)[0] ?? '';

class Count {
  totalHits = 0;
  /** Hits among them that other instances do not know of yet. */
  untold = 0;
  /** When its window is over, in milliseconds of the monotonic clock. */
  resetMs: number;
  /** `RateLimit-Policy`, in which clients are told apart without telling who they are. */
  policyLine: string | undefined;

  constructor(resetMs: number, policyLine: string | undefined) {
    this.resetMs = resetMs;
    this.policyLine = policyLine;
  }

  secondsLeft(now: number): number {
    return Math.max(0, Math.ceil((this.resetMs - now) / 1000));
  }
}

/** Where those who answer requests add what each of them has counted. */
export interface Counting {
  readonly isUp: boolean;
  /**
   * Adds to the count of a client. Resolves with the whole of it and the life that it has left; or with undefined when
   * that did not work.
   *
   * @param leftMs its life, if it begins with this
   */
  add(
    key: string,
    count: number,
    leftMs: number,
  ): Promise<{ readonly total: number; readonly leftMs: number } | undefined>;
}

/**
 * They tell each other of their counts this often: asking at every request, as the usual stores do, would put a round
 * trip into every hit. A client that goes to all of them at once exceeds its limit by no more than that.
 */
const tellEveryMs = 100;

const countTogether: Script = {
  name: 'sendgateCount',
  keys: 1,
  lua: `
    local total = redis.pcall('INCRBY', KEYS[1], ARGV[1])
    if type(total) ~= 'number' then
      redis.call('SET', KEYS[1], ARGV[1])
      total = tonumber(ARGV[1])
    end
    local left = redis.call('PTTL', KEYS[1])
    -- No count lives for longer than its window: that one is none of ours.
    if left > ${windowMs} then
      redis.call('SET', KEYS[1], ARGV[1])
      total, left = tonumber(ARGV[1]), -1
    end
    if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return {total, redis.call('PTTL', KEYS[1])}`,
};

/**
 * The counts of all instances.
 *
 * @param digest of the client's address, which no one who reads Redis is to learn by trying them all
 */
export function countingIn(redis: Redis, digest: Digest): Counting {
  return {
    get isUp() {
      return redis.isUp;
    },
    add: async (key, count, leftMs) => {
      const name = redis.key(`rate:${digest('client', key)}`);
      const reply = await redis.run(countTogether, [name, count, Math.min(leftMs, windowMs)]);
      const [total, left] = Array.isArray(reply) ? reply : [];
      if (!Number.isSafeInteger(total) || !Number.isSafeInteger(left)) return undefined;
      return { total: Number(total), leftMs: Math.min(Math.max(1, Number(left)), windowMs) };
    },
  };
}

interface StoreOptions {
  readonly maxClients: number;
  readonly clock: Clock;
  readonly salt: string;
  readonly counting: Counting | undefined;
  readonly onSeen: (client: string) => void;
}

/** express-rate-limit's own memory store grows with the number of clients; this one has a bound. */
class BoundedStore implements Store {
  readonly localKeys = true;
  readonly #salt: string;
  readonly #counting: Counting | undefined;
  readonly #untold = new Map<string, Count>();
  readonly #clock: Clock;
  readonly #counts: LRUCache<string, Count>;
  readonly #onSeen: (client: string) => void;
  /** What was checked last: a hit is counted in the same turn, and need not be looked up again. */
  #checked: { readonly client: Client; readonly count: Count; readonly now: number } | undefined;

  constructor({ maxClients, clock, salt, counting, onSeen }: StoreOptions) {
    this.#salt = salt;
    this.#onSeen = onSeen;
    this.#counting = counting;
    this.#clock = clock;
    this.#counts = new LRUCache({ max: maxClients });
  }

  get size(): number {
    return this.#counts.size;
  }

  async increment(key: string): Promise<ClientRateLimitInfo> {
    const { totalHits } = this.#hit(key, this.#current(key, this.#clock.monotonic()));
    return { totalHits, resetTime: undefined };
  }

  /** Whether one more is within the limit. */
  hasRoom(client: Client): boolean {
    const now = this.#clock.monotonic();
    const count = this.#current(client.key, now);
    this.#checked = { client, count, now };
    return count.totalHits < client.limit;
  }

  count(client: Client): string {
    const checked = this.#checked?.client === client ? this.#checked : undefined;
    this.#checked = undefined;
    const now = checked?.now ?? this.#clock.monotonic();
    const count = checked?.count ?? this.#current(client.key, now);
    return this.#linesOf(client, this.#hit(client.key, count), now);
  }

  #hit(key: string, count: Count): Count {
    count.totalHits++;
    if (this.#counting?.isUp) {
      count.untold++;
      if (this.#untold.size === 0) this.#clock.after(tellEveryMs, () => this.#tell());
      this.#untold.set(key, count);
    }
    return count;
  }

  #tell(): void {
    for (const [key, count] of this.#untold) void this.#tellOf(key, count);
    this.#untold.clear();
  }

  async #tellOf(key: string, count: Count): Promise<void> {
    const { untold } = count;
    count.untold = 0;
    const leftMs = Math.max(1, Math.ceil(count.resetMs - this.#clock.monotonic()));
    const all = await this.#counting?.add(key, untold, leftMs);
    if (!all) return;
    count.totalHits = Math.max(count.totalHits, all.total + count.untold);
    count.resetMs = this.#clock.monotonic() + Math.min(all.leftMs, windowMs);
  }

  #current(key: string, now: number): Count {
    const known = this.#counts.get(key);
    if (known && known.resetMs > now) return known;
    const count = new Count(now + windowMs, known?.policyLine);
    this.#counts.set(key, count);
    this.#onSeen(key);
    return count;
  }

  async decrement(key: string): Promise<void> {
    const count = this.#counts.get(key);
    if (count) count.totalHits--;
  }

  async resetKey(key: string): Promise<void> {
    this.#counts.delete(key);
  }

  /** Whole seconds until the client's window is over. */
  secondsLeft(key: string): number {
    return this.#counts.get(key)?.secondsLeft(this.#clock.monotonic()) ?? 0;
  }

  /** Lines of a head (draft-ietf-httpapi-ratelimit-headers-08). */
  lines(client: Client): string {
    const count = this.#counts.get(client.key);
    return count ? this.#linesOf(client, count, this.#clock.monotonic()) : '';
  }

  /** Names of policies hold no quote: nothing in here has to be checked. */
  #linesOf({ key, policy, limit }: Client, count: Count, now: number): string {
    count.policyLine ??= inOnePiece(
      `RateLimit-Policy: "${policy}"; q=${limit}; w=${windowMs / 1000}; pk=:${partition(key, this.#salt)}:\r\n`,
    );
    const remaining = Math.max(0, limit - count.totalHits);
    return `RateLimit: "${policy}"; r=${remaining}; t=${count.secondsLeft(now)}\r\n${count.policyLine}`;
  }
}

/** The same for all answers to a client, and of no meaning without the salt. */
function partition(key: string, salt: string): string {
  return createHmac('sha256', salt).update(key).digest().subarray(0, 9).toString('base64');
}
