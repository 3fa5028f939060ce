/**
 * Error responses.
 */
import type { Problem } from '../problems.ts';
import { headerLines } from './header-block.ts';
import type { RequestContext } from './request-context.ts';

interface Content {
  readonly type: string;
  readonly text: string;
}

/** Answers with a problem and records it for log and metrics. */
export function answerProblem(context: RequestContext, problem: Problem, content: Content): void {
  context.record.problem = problem.code;
  context.record.reason = problem.reason;
  const fields: string[] = [];
  if (problem.retryAfterSeconds !== undefined) fields.push('Retry-After', String(problem.retryAfterSeconds));
  if (problem.allow !== undefined) fields.push('Allow', problem.allow);
  if (problem.authenticate !== undefined) fields.push('WWW-Authenticate', problem.authenticate);
  fields.push('Content-Type', content.type, 'Cache-Control', 'no-store');
  context.answer(problem.status, headerLines(...fields), Buffer.from(content.text));
}

/** Answers with a problem as `application/problem+json` (RFC 9457). */
export function answerProblemJson(context: RequestContext, problem: Problem, basePath: string): void {
  answerProblem(context, problem, { type: 'application/problem+json', text: problem.body(context.id, basePath) });
}
