/**
 * How a request is handled: identify and admit it, answer a hit on the fast path, pass everything else to Express.
 */
import type { IncomingMessage } from 'node:http';
import type { Express } from 'express';
import type { Admission, Callers } from '../callers/callers.ts';
import type { ExpressRateLimit } from '../callers/rate-limit/express.ts';
import type { RequestContext, trackRequests } from '../http/request-context.ts';
import type { Listener } from '../http/server.ts';
import type { AnswerError } from './error-handler.ts';
import type { FastPath } from './fast-path.ts';

interface Parts {
  readonly callers: Callers;
  readonly observe: ReturnType<typeof trackRequests>;
  readonly fastPath: FastPath;
  readonly rateLimit: ExpressRateLimit;
  readonly app: Express;
  readonly answerError: AnswerError;
}

export function requestPath({
  callers,
  observe,
  fastPath,
  rateLimit,
  app,
  answerError,
}: Parts): Listener<RequestContext> {
  const admit = (req: IncomingMessage, context: RequestContext): Admission | undefined => {
    try {
      return callers.admit(req, context);
    } catch (error) {
      answerError(error, req, context);
      return undefined;
    }
  };
  return {
    receive: (req, res) => {
      callers.receive(req);
      return observe(req, res);
    },
    answer: (req, res, context) =>
      context.trace.run(() => {
        const admission = admit(req, context);
        if (!admission || fastPath.respond(req, context, admission.caller)) return;
        context.watch();
        rateLimit.tell(req, admission.decision);
        app(req, res);
      }),
    refuse: ({ req }, context, problem) => answerError(problem, req, context),
  };
}
