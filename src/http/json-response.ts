/**
 * JSON responses of small resources.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Problem } from '../problems.ts';
import { headLines } from './header-block.ts';
import { accepts } from './negotiation.ts';
import { exchangeOf } from './request-context.ts';

/** @throws Problem `not-acceptable` */
export function hasToAcceptJson({ accept }: IncomingHttpHeaders): void {
  if (!accepts('application/json', accept)) throw new Problem('not-acceptable');
}

/** Responds with a value. */
export function answerJson(req: IncomingMessage, cacheControl: string, value: unknown): void {
  const lines = headLines('Content-Type', 'application/json', 'Cache-Control', cacheControl);
  exchangeOf(req).answer(200, lines, Buffer.from(JSON.stringify(value)));
}
