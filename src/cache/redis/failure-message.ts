/**
 * How an instance says why its call has ended without a page, to those that wait for it.
 */
import { z } from 'zod';
import { parseJson } from '../../model/json.ts';
import { Problem } from '../../problems.ts';

/** What a call can end with, that is not remembered as a refusal. */
const failure = z.object({
  code: z
    .enum([
      'upstream-failed',
      'upstream-busy',
      'upstream-timeout',
      'upstream-quota-exhausted',
      'upstream-credentials-refused',
      'upstream-gone',
      'internal-error',
    ])
    .optional(),
  reason: z
    .string()
    .regex(/^[\w-]{1,40}$/)
    .optional(),
  retryAfterSeconds: z.int().nonnegative().max(86_400).optional(),
});

export function writeFailure(problem: Problem | undefined): string {
  const { code, reason, retryAfterSeconds } = problem ?? new Problem('internal-error');
  return JSON.stringify({ code, reason, retryAfterSeconds });
}

/**
 * Nothing where the call has brought a page, or ended for reasons of its caller: the next one makes it.
 *
 * @throws Problem with which the call has ended
 */
export function throwFailure(text: string): void {
  const { code, reason, retryAfterSeconds } = readFailure(text);
  if (code !== undefined && reason !== 'abandoned' && reason !== 'share')
    throw new Problem(code, { reason, retryAfterSeconds });
}

function readFailure(text: string): z.output<typeof failure> {
  try {
    return failure.parse(parseJson(text));
  } catch {
    return {};
  }
}
