/**
 * The methods of all resources: they can be read, and say so to OPTIONS.
 */
import type { IncomingMessage } from 'node:http';
import { Problem } from '../problems.ts';
import { headerLines } from './header-block.ts';
import { contextOf } from './request-context.ts';

export const allowedMethods = 'GET, HEAD, OPTIONS';
const allowLine = headerLines('Allow', allowedMethods);

/**
 * Answers OPTIONS, and returns whether it has.
 *
 * @throws Problem `method-not-allowed`
 */
export function answeredOptions(req: IncomingMessage): boolean {
  if (req.method === 'GET' || req.method === 'HEAD') return false;
  if (req.method !== 'OPTIONS') throw new Problem('method-not-allowed', { allow: allowedMethods });
  contextOf(req).answer(204, allowLine);
  return true;
}
