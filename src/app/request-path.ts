/**
 * How a request is handled: identified and admitted once, then a hit is answered at once, and everything else by Express.
 */
import type { IncomingMessage } from 'node:http';
import type { Express } from 'express';
import type { Admission, Callers } from '../callers/callers.ts';
import type { ExpressRateLimit } from '../callers/rate-limit/express.ts';
import type { Exchange, observeExchanges } from '../http/request-context.ts';
import type { Listener } from '../http/server.ts';
import type { AnswerError } from './error-handler.ts';
import type { FastPath } from './fast-path.ts';

interface Parts {
  readonly callers: Callers;
  readonly observe: ReturnType<typeof observeExchanges>;
  readonly fastPath: FastPath;
  readonly rateLimit: ExpressRateLimit;
  readonly app: Express;
  readonly answerError: AnswerError;
}

export function requestPath({ callers, observe, fastPath, rateLimit, app, answerError }: Parts): Listener<Exchange> {
  const admit = (req: IncomingMessage, exchange: Exchange): Admission | undefined => {
    try {
      return callers.admit(req, exchange);
    } catch (error) {
      answerError(error, req, exchange);
      return undefined;
    }
  };
  return {
    receive: (req, res) => {
      callers.receive(req);
      return observe(req, res);
    },
    answer: (req, res, exchange) =>
      exchange.trace.run(() => {
        const admission = admit(req, exchange);
        if (!admission || fastPath.respond(req, exchange, admission.caller)) return;
        exchange.watch();
        rateLimit.tell(req, admission.decision);
        app(req, res);
      }),
    refuse: ({ req }, exchange, problem) => answerError(problem, req, exchange),
  };
}
