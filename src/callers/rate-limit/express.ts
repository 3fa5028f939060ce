/**
 * The limit in Express: express-rate-limit, which is told what the limiter has decided ahead of it. So no request is counted
 * twice, and one that reaches Express without a decision goes no further.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { rateLimit, type Store } from 'express-rate-limit';
import { windowMs } from './counter.ts';
import { type Decision, rateLimited } from './limiter.ts';

export interface ExpressRateLimit {
  /** Has to be called before the request is given to Express. */
  tell(req: IncomingMessage, decision: Decision): void;
  /** The first middleware. Fails for a request on which nothing was decided. */
  readonly middleware: RequestHandler;
}

export function expressRateLimit(): ExpressRateLimit {
  const decisions = new WeakMap<IncomingMessage, Decision>();
  const decisionOn = (req: IncomingMessage): Decision => {
    const decision = decisions.get(req);
    if (!decision) throw new Error('a request reached Express without being admitted');
    return decision;
  };
  return {
    tell: (req, decision) => void decisions.set(req, decision),
    middleware: rateLimit({
      windowMs,
      limit: (req) => decisionOn(req).client.limit,
      keyGenerator: (req) => keyOf(decisionOn(req)),
      store: counted,
      handler: (_req, _res, next) => next(rateLimited(windowMs / 1000)),
      // The headers are written with the decision, for the fast path as well.
      standardHeaders: false,
      legacyHeaders: false,
      // A proxy that is not trusted may set what it likes: that is no reason to write to stderr.
      validate: false,
    }),
  };
}

/** The key carries the count of the request, so there is nothing to store: `7 web 10.1.2.3` is the seventh of that client. */
const keyOf = ({ used, client }: Decision) => `${used} ${client.key}`;

const counted: Store = {
  localKeys: true,
  increment: (key) => ({ totalHits: Number.parseInt(key, 10), resetTime: undefined }),
  decrement: () => {},
  resetKey: () => {},
};
