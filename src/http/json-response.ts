/**
 * JSON responses of small resources.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Problem } from '../problems.ts';
import { headerLines } from './header-block.ts';
import { accepts } from './negotiation.ts';
import { contextOf } from './request-context.ts';

/** @throws Problem `not-acceptable` */
export function requireJson({ accept }: IncomingHttpHeaders): void {
  if (!accepts('application/json', accept)) throw new Problem('not-acceptable');
}

/** Answers 200 with a value as JSON. */
export function answerJson(req: IncomingMessage, cacheControl: string, value: unknown): void {
  const lines = headerLines('Content-Type', 'application/json', 'Cache-Control', cacheControl);
  contextOf(req).answer(200, lines, Buffer.from(JSON.stringify(value)));
}
