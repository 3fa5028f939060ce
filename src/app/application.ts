/**
 * The Express application: which middleware, in which order, and nothing else.
 */

import type { IncomingMessage } from 'node:http';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { summaryPath } from '../campaigns/summary.ts';
import { callerGone } from '../http/disconnect.ts';
import { answerProblem, answerProblemJson } from '../http/problem-response.ts';
import { type Exchange, exchangeOf } from '../http/request-context.ts';
import { Problem } from '../problems.ts';
import { sendsPath } from '../reports/endpoint.ts';
import { exportPath } from '../reports/export/endpoint.ts';
import { type ExportName, exportNames } from '../reports/export/formats.ts';
import { dropInError, dropInPath } from '../reports/v2-compat/drop-in.ts';
import { statusPath } from './status-endpoint.ts';

export interface AppParts {
  readonly basePath: string;
  readonly rateLimit: RequestHandler;
  readonly site: RequestHandler;
  readonly sends: RequestHandler<{ id: string }>;
  readonly exports: (name: ExportName) => RequestHandler<{ id: string }>;
  readonly summary: RequestHandler<{ id: string }>;
  readonly status: RequestHandler;
  /** For programs that were written for Constant Contact v2, where they are served. */
  readonly dropIn: RequestHandler<{ id: string }> | undefined;
  readonly answerError: AnswerError;
}

/** For requests that were admitted: guards and limits come before. */
export function createApp(parts: AppParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.set('case sensitive routing', true);

  app.use(parts.rateLimit);
  app.use(parts.site);
  app.all(`${parts.basePath}${sendsPath}`, parts.sends);
  for (const name of exportNames) app.all(`${parts.basePath}${exportPath(name)}`, parts.exports(name));
  app.all(`${parts.basePath}${summaryPath}`, parts.summary);
  app.all(`${parts.basePath}${statusPath}`, parts.status);
  if (parts.dropIn) app.all(`${parts.basePath}${dropInPath}`, parts.dropIn);
  app.use(nothingHere);
  const onError: ErrorRequestHandler = (error: unknown, req, res, _next) => {
    if (error === callerGone || res.headersSent) res.destroy();
    else parts.answerError(error, req, exchangeOf(req));
  };
  app.use(onError);
  return app;
}

const nothingHere: RequestHandler = (_req, _res, next) => next(new Problem('not-found'));

/** Answers a request with the Problem that an error comes to. */
export type AnswerError = (error: unknown, req: IncomingMessage, exchange: Exchange) => void;

interface ErrorParts {
  readonly basePath: string;
  /** Whether an error has to be in v2's form. */
  readonly isDropIn: (req: IncomingMessage) => boolean;
  /** Logs an error that is no Problem. */
  readonly onUnexpected: (error: unknown, requestId: string) => void;
}

export function answersToErrors({ basePath, isDropIn, onUnexpected }: ErrorParts): AnswerError {
  return (error, req, exchange) => {
    const problem = toProblem(error);
    if (problem.code === 'internal-error') onUnexpected(error, exchange.id);
    if (isDropIn(req)) answerProblem(exchange, problem, { type: 'application/json', text: dropInError(problem) });
    else answerProblemJson(exchange, problem, basePath);
  };
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  // Express's router refuses a path that cannot be decoded with a URIError of status 400.
  if (error instanceof URIError) {
    return new Problem('invalid-request', {
      errors: [{ parameter: 'id', problem: 'is not valid percent-encoding', allowed: 'a campaign id' }],
    });
  }
  return new Problem('internal-error');
}
