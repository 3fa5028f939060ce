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
import { Problem } from '../problems.ts';
import type { AddressOf } from './address.ts';

export interface RateLimitOptions {
  readonly requestsPerMinute: number;
  /** Clients counted at the same time; past it the longest unseen is forgotten. */
  readonly maxClients: number;
}

const windowMs = 60_000;

/** A household or a rented server has a whole /56 to send from (RFC 6177). */
const ipv6Subnet = 56;

/** The name of the policy in the headers. */
const policyName = 'default';

/**
 * Counts a client (IPv4 address or IPv6 /56) in windows of a minute and tells it in `RateLimit` and `RateLimit-Policy`.
 * Past the limit: `rate-limited`.
 *
 * The headers are those of express-rate-limit's `draft-8`, but made here: it hashes the client's key at every request,
 * which cost a sixth of a hit; and it tells the time by another clock.
 */
export class RateLimit {
  readonly #store: BoundedStore;
  readonly #addressOf: AddressOf;
  readonly middleware: RequestHandler;

  constructor({ requestsPerMinute, maxClients }: RateLimitOptions, addressOf: AddressOf, clock: Clock) {
    this.#addressOf = addressOf;
    const store = new BoundedStore(maxClients, requestsPerMinute, clock);
    this.#store = store;
    const limiter = rateLimit({
      windowMs,
      limit: requestsPerMinute,
      standardHeaders: false,
      legacyHeaders: false,
      keyGenerator: (req) => this.#keyOf(req),
      store,
      // A proxy that is not trusted may set what it likes: that is no reason to write to stderr.
      validate: false,
      handler: (req, _res, next) => {
        next(new Problem('rate-limited', { retryAfterSeconds: Math.max(1, store.secondsLeft(this.#keyOf(req))) }));
      },
    });
    this.middleware = (req, res, next) =>
      limiter(req, res, (error?: unknown) => {
        exchangeOf(req).headers.push(...store.headers(this.#keyOf(req)));
        next(error);
      });
  }

  /** Counts a request that is within the rate and returns true; one that is not is left to the middleware. */
  admit(req: IncomingMessage): boolean {
    const key = this.#keyOf(req);
    if (!this.#store.hitWithin(key)) return false;
    exchangeOf(req).headers.push(...this.#store.headers(key));
    return true;
  }

  #keyOf(req: IncomingMessage): string {
    return ipKeyGenerator(this.#addressOf(req), ipv6Subnet);
  }
}

interface Count {
  totalHits: number;
  readonly resetTime: Date;
  /** The value of `RateLimit-Policy`. */
  readonly policy: string;
}

/** express-rate-limit's own memory store grows with the number of clients; this one has a bound. */
class BoundedStore implements Store {
  readonly localKeys = true;
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #counts: LRUCache<string, Count>;

  constructor(maxClients: number, limit: number, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
    this.#counts = new LRUCache({ max: maxClients });
  }

  async increment(key: string): Promise<ClientRateLimitInfo> {
    const count = this.#current(key);
    count.totalHits++;
    return count;
  }

  /** Counts a hit, unless it would be one too many. */
  hitWithin(key: string): boolean {
    const count = this.#current(key);
    if (count.totalHits >= this.#limit) return false;
    count.totalHits++;
    return true;
  }

  #current(key: string): Count {
    const now = this.#clock.now();
    const known = this.#counts.get(key);
    if (known && known.resetTime.getTime() > now) return known;
    const policy = known?.policy ?? `"${policyName}"; q=${this.#limit}; w=${windowMs / 1000}; pk=:${partition(key)}:`;
    const count = { totalHits: 0, resetTime: new Date(now + windowMs), policy };
    this.#counts.set(key, count);
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
    const resetAt = this.#counts.get(key)?.resetTime.getTime() ?? 0;
    return Math.max(0, Math.ceil((resetAt - this.#clock.now()) / 1000));
  }

  /** Names and values, in turn (draft-ietf-httpapi-ratelimit-headers-08). */
  headers(key: string): string[] {
    const count = this.#counts.get(key);
    if (!count) return [];
    const remaining = Math.max(0, this.#limit - count.totalHits);
    return [
      'RateLimit',
      `"${policyName}"; r=${remaining}; t=${this.secondsLeft(key)}`,
      'RateLimit-Policy',
      count.policy,
    ];
  }
}

/** Tells clients apart without telling who they are. */
function partition(key: string): string {
  return Buffer.from(createHash('sha256').update(key).digest('hex').slice(0, 12)).toString('base64');
}
