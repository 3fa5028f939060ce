/**
 * The short lane: a page that is held is answered ahead of Express, whose router and promises would be two thirds of
 * the time it takes.
 *
 * It is made of the same functions as the long way and decides nothing by itself: whatever is not plainly a hit, or not
 * plainly allowed, goes on to Express untouched and uncounted.
 */
import type { IncomingMessage } from 'node:http';
import type { Callers } from './callers/callers.ts';
import type { RateLimit } from './callers/rate-limit.ts';
import { exchangeOf } from './operations/exchange.ts';
import type { SendsEndpoint } from './sends/endpoint.ts';

interface Parts {
  readonly basePath: string;
  readonly callers: Callers;
  readonly rateLimit: RateLimit;
  readonly sends: SendsEndpoint;
}

/** Answers a hit and returns true, or returns false and has done nothing. */
export type Lane = (req: IncomingMessage) => boolean;

export function createLane({ basePath, callers, rateLimit, sends }: Parts): Lane {
  const target = new RegExp(`^${basePath.replaceAll('.', '\\.')}/campaigns/([\\w-]{1,36})/sends(?:\\?|$)`);

  return (req) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return false;
    const id = target.exec(req.url ?? '')?.[1];
    if (id === undefined) return false;
    try {
      const team = callers.identify(req);
      const hit = sends.hit(req, id);
      const limits = hit && rateLimit.admit(req, team);
      if (!limits) return false;
      const exchange = exchangeOf(req);
      exchange.told.team = team.name;
      exchange.head += `${callers.lines(req)}${limits}`;
      sends.answer(req, hit);
      return true;
    } catch {
      return false; // The long way meets the same error, and answers it.
    }
  };
}
