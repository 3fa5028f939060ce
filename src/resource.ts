/**
 * What all resources have in common: they can be read, and tell which methods there are.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { accepts } from './negotiate.ts';
import { exchangeOf } from './operations/exchange.ts';
import { headLines } from './operations/head.ts';
import { Problem } from './problems.ts';
import type { Payer } from './upstream/quota/demand.ts';

const methods = 'GET, HEAD, OPTIONS';
const allowLine = headLines('Allow', methods);

/** The reason with which a wait ends when nobody is there to answer. */
export const callerGone = new Error('the caller has hung up');

/**
 * Answers OPTIONS, and returns whether it has.
 *
 * @throws Problem `method-not-allowed`
 */
export function onlyReads(req: IncomingMessage): boolean {
  if (req.method === 'GET' || req.method === 'HEAD') return false;
  if (req.method !== 'OPTIONS') throw new Problem('method-not-allowed', { allow: methods });
  exchangeOf(req).answer(204, allowLine);
  return true;
}

/** Aborted when the caller has hung up. */
export function untilGone(res: ServerResponse): AbortSignal {
  const gone = new AbortController();
  res.once('close', () => gone.abort(callerGone));
  return gone.signal;
}

/** On whose account a request may cause calls. */
export function payerOf(req: IncomingMessage): Payer {
  const { told, client } = exchangeOf(req);
  return { team: told.team, client };
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

/** Answers with something small that is never the same for long. */
export function answerJson(req: IncomingMessage, cacheControl: string, value: unknown): void {
  const lines = headLines('Content-Type', 'application/json', 'Cache-Control', cacheControl);
  exchangeOf(req).answer(200, lines, Buffer.from(JSON.stringify(value)));
}
