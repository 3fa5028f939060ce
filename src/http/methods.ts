/**
 * The methods of all resources, which are read-only.
 */
import type { IncomingMessage } from 'node:http';
import { Problem } from '../problems.ts';
import { headerLines } from './header-block.ts';
import { contextOf } from './request-context.ts';

export const allowedMethods = 'GET, HEAD, OPTIONS';
const allowLine = headerLines('Allow', allowedMethods);

/**
 * Answers OPTIONS. Returns whether it did.
 *
 * @throws Problem `method-not-allowed`
 */
export function answeredOptions(req: IncomingMessage): boolean {
  if (req.method === 'GET' || req.method === 'HEAD') return false;
  if (req.method !== 'OPTIONS') throw new Problem('method-not-allowed', { allow: allowedMethods });
  contextOf(req).answer(204, allowLine);
  return true;
}
