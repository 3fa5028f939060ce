/**
 * The rate limit in Express: express-rate-limit applies the limiter's decision. No request is counted twice, and a request
 * without a decision fails.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { rateLimit, type Store } from 'express-rate-limit';
import { windowMs } from './counter.ts';
import { type Decision, rateLimited } from './limiter.ts';

export interface ExpressRateLimit {
  /** Call it before passing the request to Express. */
  tell(req: IncomingMessage, decision: Decision): void;
  /** The first middleware. Fails for a request without a decision. */
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
      // Its validations would write to stderr for headers of any untrusted proxy.
      validate: false,
    }),
  };
}

/** Carries the count in the key, so that nothing needs storing: `7 web 10.1.2.3` is that client's seventh request. */
const keyOf = ({ used, client }: Decision) => `${used} ${client.key}`;

const counted: Store = {
  localKeys: true,
  increment: (key) => ({ totalHits: Number.parseInt(key, 10), resetTime: undefined }),
  decrement: () => {},
  resetKey: () => {},
};
