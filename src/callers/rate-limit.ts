/**
 * How often one client may ask: the inbound limit, in front of cache and upstream alike.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { type ClientRateLimitInfo, ipKeyGenerator, rateLimit, type Store } from 'express-rate-limit';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { exchangeOf } from '../operations/exchange.ts';
import { inOnePiece } from '../operations/head.ts';
import { Problem } from '../problems.ts';
import type { Digest } from '../redis/digests.ts';
import type { Redis, Script } from '../redis/redis.ts';
import type { Addresses } from './address.ts';
import type { Team } from './teams.ts';

export interface RateLimitOptions {
  /** Of each client that belongs to no team with a limit of its own. */
  readonly requestsPerMinute: number;
  /** Clients counted at the same time; past it the longest unseen is forgotten. */
  readonly maxClients: number;
}

const windowMs = 60_000;

/** Who is counted as one. */
export interface Client {
  readonly key: string;
  /** The name of its team. */
  readonly policy: string;
  readonly limit: number;
}

/** A household or a rented server has a whole /56 to send from (RFC 6177). */
const ipv6Subnet = 56;

/**
 * Counts in windows of a minute and tells it in `RateLimit` and `RateLimit-Policy`, under the name of the team: a team
 * with a limit as a whole, everybody else by client (IPv4 address or IPv6 /56). Past the limit: `rate-limited`.
 *
 * The headers are those of express-rate-limit's `draft-8`, but made here: it hashes the client's key at every request,
 * which cost a sixth of a hit; and it tells the time by another clock.
 */
export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #store: BoundedStore;
  readonly #addresses: Addresses;
  readonly #limiters: ReadonlyMap<string, RequestHandler>;

  /**
   * @param counting with others; undefined where this is the only one that counts
   * @param onSeen called with a client's key when its window begins: once a minute while it sends requests
   */
  constructor(
    options: RateLimitOptions,
    teams: readonly Team[],
    addresses: Addresses,
    clock: Clock,
    counting?: Counting,
    onSeen: (client: string) => void = () => {},
  ) {
    this.#options = options;
    this.#addresses = addresses;
    this.#store = new BoundedStore(options.maxClients, clock, counting, onSeen);
    this.#limiters = new Map(teams.map((team) => [team.name, this.#limiter(team)]));
  }

  /** Clients, and teams, that are counted. */
  get clients(): number {
    return this.#store.size;
  }

  /** Counts and lets through, or hands on `rate-limited`. The team has to be known by then. */
  readonly middleware: RequestHandler = (req, res, next) => {
    const { team } = exchangeOf(req).told;
    this.#limiters.get(team)?.(req, res, next);
  };

  /** As which client a request is counted. */
  clientOf(req: IncomingMessage, team: Team): Client {
    return { key: this.#keyOf(req, team), policy: team.name, limit: this.#limitOf(team) };
  }

  /** Counts a request that is within the rate and returns lines of its head; one that is not is left to the middleware. */
  admit(client: Client): string | undefined {
    return this.#store.hitWithin(client);
  }

  #limiter(team: Team): RequestHandler {
    const limiter = rateLimit({
      windowMs,
      limit: this.#limitOf(team),
      standardHeaders: false,
      legacyHeaders: false,
      keyGenerator: (req) => this.#keyOf(req, team),
      store: this.#store,
      // A proxy that is not trusted may set what it likes: that is no reason to write to stderr.
      validate: false,
      handler: (req, _res, next) => {
        const retryAfterSeconds = Math.max(1, this.#store.secondsLeft(this.#keyOf(req, team)));
        next(new Problem('rate-limited', { retryAfterSeconds }));
      },
    });
    return (req, res, next) => {
      const exchange = exchangeOf(req);
      const client = this.clientOf(req, team);
      exchange.client = client.key;
      limiter(req, res, (error?: unknown) => {
        exchange.head += this.#store.lines(client);
        next(error);
      });
    };
  }

  #limitOf(team: Team): number {
    return team.requestsPerMinute ?? this.#options.requestsPerMinute;
  }

  #keyOf(req: IncomingMessage, team: Team): string {
    if (team.requestsPerMinute !== undefined) return team.name;
    const address = this.#addresses.of(req);
    return `${team.name} ${address.includes(':') ? ipKeyGenerator(address, ipv6Subnet) : address}`;
  }
}

/** The team in the key of a client. */
export const teamOfClient = (client: string) => client.split(' ', 1)[0] ?? '';

class Count {
  totalHits = 0;
  /** Hits among them that the other instances have not been told of. */
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
 * trip into every hit. A client that goes to all of them at once gets so much more than its limit at the most.
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

/** express-rate-limit's own memory store grows with the number of clients; this one has a bound. */
class BoundedStore implements Store {
  readonly localKeys = true;
  readonly #counting: Counting | undefined;
  readonly #untold = new Map<string, Count>();
  readonly #clock: Clock;
  readonly #counts: LRUCache<string, Count>;
  readonly #onSeen: (client: string) => void;

  constructor(maxClients: number, clock: Clock, counting: Counting | undefined, onSeen: (client: string) => void) {
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

  /** Counts a hit and returns its lines, unless it would be one too many. */
  hitWithin(client: Client): string | undefined {
    const now = this.#clock.monotonic();
    const count = this.#current(client.key, now);
    if (count.totalHits >= client.limit) return undefined;
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

  /** The name of a team is a token: nothing in here has to be checked. */
  #linesOf({ key, policy, limit }: Client, count: Count, now: number): string {
    count.policyLine ??= inOnePiece(
      `RateLimit-Policy: "${policy}"; q=${limit}; w=${windowMs / 1000}; pk=:${partition(key)}:\r\n`,
    );
    const remaining = Math.max(0, limit - count.totalHits);
    return `RateLimit: "${policy}"; r=${remaining}; t=${count.secondsLeft(now)}\r\n${count.policyLine}`;
  }
}

function partition(key: string): string {
  return Buffer.from(createHash('sha256').update(key).digest('hex').slice(0, 12)).toString('base64');
}
