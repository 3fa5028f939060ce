/**
 * Answers errors as Problems: in Sendgate's form, or in v2's for programs written for v2.
 */
import type { IncomingMessage } from 'node:http';
import { answerProblem, answerProblemJson } from '../http/problem-response.ts';
import type { RequestContext } from '../http/request-context.ts';
import { Problem } from '../problems.ts';
import { dropInError } from '../reports/v2-compat/drop-in-error.ts';

/** Answers a request with the Problem of an error; `internal-error` if the error is not a Problem. */
export type AnswerError = (error: unknown, req: IncomingMessage, context: RequestContext) => void;

interface ErrorParts {
  readonly basePath: string;
  /** Whether the request expects errors in v2's form. */
  readonly isDropIn: (req: IncomingMessage) => boolean;
  /** Logs an error that is not a Problem. */
  readonly onUnexpected: (error: unknown, requestId: string) => void;
}

export function errorHandler({ basePath, isDropIn, onUnexpected }: ErrorParts): AnswerError {
  return (error, req, context) => {
    const problem = toProblem(error);
    if (problem.code === 'internal-error') onUnexpected(error, context.id);
    if (isDropIn(req)) answerProblem(context, problem, { type: 'application/json', text: dropInError(problem) });
    else answerProblemJson(context, problem, basePath);
  };
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  // Express's router throws a URIError for a path that cannot be decoded.
  if (error instanceof URIError) {
    return new Problem('invalid-request', {
      errors: [{ parameter: 'id', problem: 'is not valid percent-encoding', allowed: 'a campaign id' }],
    });
  }
  return new Problem('internal-error');
}
