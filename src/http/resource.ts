/**
 * What all resources have in common: they can be read, and tell which methods there are.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Problem } from '../problems.ts';
import type { Payer } from '../quota/demand.ts';
import { accepts } from './negotiation.ts';
import { type Exchange, exchangeOf } from './request-context.ts';
import { headLines } from './response-writer.ts';

export const allowedMethods = 'GET, HEAD, OPTIONS';
const allowLine = headLines('Allow', allowedMethods);

/** The reason with which a wait ends when nobody is there to answer. */
export const callerGone = new Error('the caller has hung up');

/**
 * Answers OPTIONS, and returns whether it has.
 *
 * @throws Problem `method-not-allowed`
 */
export function onlyReads(req: IncomingMessage): boolean {
  if (req.method === 'GET' || req.method === 'HEAD') return false;
  if (req.method !== 'OPTIONS') throw new Problem('method-not-allowed', { allow: allowedMethods });
  exchangeOf(req).answer(204, allowLine);
  return true;
}

/** Aborted when the caller has hung up; from the start, where that was before. */
export function untilGone(res: ServerResponse): AbortSignal {
  if (res.destroyed) return AbortSignal.abort(callerGone);
  const gone = new AbortController();
  res.once('close', () => gone.abort(callerGone));
  return gone.signal;
}

/**
 * On whose account a request may cause calls.
 *
 * @throws Error before its caller is identified
 */
export function payerOf(req: IncomingMessage): Payer {
  return exchangeOf(req).identity;
}

/** The raw query string of a target, without its `?`. */
export function searchOf(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start + 1);
}

/** @throws Problem `not-acceptable` */
export function hasToAcceptJson({ accept }: IncomingHttpHeaders): void {
  if (!accepts('application/json', accept)) throw new Problem('not-acceptable');
}

interface Content {
  readonly type: string;
  readonly text: string;
}

/** Answers with a problem, of which the log and the metrics tell. */
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

/** Answers with something small that is never the same for long. */
export function answerJson(req: IncomingMessage, cacheControl: string, value: unknown): void {
  const lines = headLines('Content-Type', 'application/json', 'Cache-Control', cacheControl);
  exchangeOf(req).answer(200, lines, Buffer.from(JSON.stringify(value)));
}
