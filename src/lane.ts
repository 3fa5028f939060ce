/**
 * The short lane: a page that is held is answered ahead of Express, whose router and promises would be two thirds of
 * the time it takes.
 *
 * It is made of the same functions as the long way and decides nothing by itself: whatever is not plainly a hit, or not
 * plainly allowed, goes on to Express untouched and uncounted.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HostRule } from './callers/host-guard.ts';
import type { RateLimit } from './callers/rate-limit.ts';
import type { SendsEndpoint } from './sends/endpoint.ts';

interface Parts {
  readonly basePath: string;
  readonly isAllowedHost: HostRule;
  readonly rateLimit: RateLimit;
  readonly sends: SendsEndpoint;
}

/** Answers a hit and returns true, or returns false and has done nothing. */
export type Lane = (req: IncomingMessage, res: ServerResponse) => boolean;

export function createLane({ basePath, isAllowedHost, rateLimit, sends }: Parts): Lane {
  const escaped = basePath.replace(/[.]/g, '\\.');
  const target = new RegExp(`^${escaped}/campaigns/(\\d{1,20})/sends(?:\\?|$)`);
  return (req, res) => {
    if (req.method !== 'GET' && req.method !== 'HEAD') return false;
    const id = target.exec(req.url ?? '')?.[1];
    if (id === undefined || !isAllowedHost(req)) return false;
    const found = held(req, id);
    if (!found || !rateLimit.admit(req)) return false;
    sends.answer(req, res, found);
    return true;
  };

  function held(req: IncomingMessage, id: string) {
    try {
      return sends.hit(req, id);
    } catch {
      return undefined; // The long way meets the same error, and answers it.
    }
  }
}
