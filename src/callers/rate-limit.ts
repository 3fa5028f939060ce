/**
 * How often one client may ask: the inbound limit, in front of cache and upstream alike.
 */
import type { RequestHandler, Response } from 'express';
import { type ClientRateLimitInfo, ipKeyGenerator, rateLimit, type Store } from 'express-rate-limit';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { exchangeOf } from '../operations/exchange.ts';
import { Problem } from '../problems.ts';

export interface RateLimitOptions {
  readonly requestsPerMinute: number;
  /** Clients counted at the same time; past it the longest unseen is forgotten. */
  readonly maxClients: number;
}

const windowMs = 60_000;

/** A household or a rented server has a whole /56 to send from (RFC 6177). */
const ipv6Subnet = 56;

/**
 * Counts a client (IPv4 address or IPv6 /56) in windows of a minute and sets `RateLimit` and `RateLimit-Policy`
 * (draft-ietf-httpapi-ratelimit-headers-08). Past the limit: `rate-limited`.
 */
export function limitRate({ requestsPerMinute, maxClients }: RateLimitOptions, clock: Clock): RequestHandler {
  const limiter = rateLimit({
    windowMs,
    limit: requestsPerMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    identifier: 'default',
    keyGenerator: (req) => ipKeyGenerator(req.ip ?? 'unknown', ipv6Subnet),
    store: new BoundedStore(maxClients, clock),
    // A proxy that is not trusted may set what it likes: that is no reason to write to stderr.
    validate: false,
    handler: (req, _res, next) => {
      const resetAt = (req as typeof req & { rateLimit?: { resetTime?: Date } }).rateLimit?.resetTime?.getTime();
      const retryAfterSeconds = Math.max(1, Math.ceil(((resetAt ?? clock.now() + windowMs) - clock.now()) / 1000));
      next(new Problem('rate-limited', { retryAfterSeconds }));
    },
  });
  return (req, _res, next) => {
    const { headers } = exchangeOf(req);
    const gathering = { headersSent: false, append: (name: string, value: string) => headers.push(name, value) };
    // express-rate-limit asks nothing else of a response.
    limiter(req, gathering as unknown as Response, next);
  };
}

interface Count {
  totalHits: number;
  resetTime: Date;
}

/** express-rate-limit's own memory store grows with the number of clients; this one has a bound. */
class BoundedStore implements Store {
  readonly localKeys = true;
  readonly #clock: Clock;
  readonly #counts: LRUCache<string, Count>;

  constructor(maxClients: number, clock: Clock) {
    this.#clock = clock;
    this.#counts = new LRUCache({ max: maxClients });
  }

  async increment(key: string): Promise<ClientRateLimitInfo> {
    const now = this.#clock.now();
    let count = this.#counts.get(key);
    if (count === undefined || count.resetTime.getTime() <= now) {
      count = { totalHits: 0, resetTime: new Date(now + windowMs) };
      this.#counts.set(key, count);
    }
    count.totalHits++;
    return count;
  }

  async decrement(key: string): Promise<void> {
    const count = this.#counts.get(key);
    if (count) count.totalHits--;
  }

  async resetKey(key: string): Promise<void> {
    this.#counts.delete(key);
  }
}
