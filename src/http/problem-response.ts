/**
 * Error responses.
 */
import type { Problem } from '../problems.ts';
import { headLines } from './header-block.ts';
import type { Exchange } from './request-context.ts';

interface Content {
  readonly type: string;
  readonly text: string;
}

/** Responds with a problem, and records it for log and metrics. */
export function answerProblem(exchange: Exchange, problem: Problem, content: Content): void {
  exchange.told.problem = problem.code;
  exchange.told.reason = problem.reason;
  const fields: string[] = [];
  if (problem.retryAfterSeconds !== undefined) fields.push('Retry-After', String(problem.retryAfterSeconds));
  if (problem.allow !== undefined) fields.push('Allow', problem.allow);
  if (problem.authenticate !== undefined) fields.push('WWW-Authenticate', problem.authenticate);
  fields.push('Content-Type', content.type, 'Cache-Control', 'no-store');
  exchange.answer(problem.status, headLines(...fields), Buffer.from(content.text));
}

/** The same as `application/problem+json` (RFC 9457). */
export function answerProblemJson(exchange: Exchange, problem: Problem, basePath: string): void {
  answerProblem(exchange, problem, { type: 'application/problem+json', text: problem.body(exchange.id, basePath) });
}
