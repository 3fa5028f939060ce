/**
 * Encodes why a call ended without a page, for instances that wait for it.
 */
import { z } from 'zod';
import { parseJson } from '../../model/json.ts';
import { Problem } from '../../problems.ts';

/** Failures that are not remembered as refusals. */
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
 * Throws the failure in a message. Returns if the call brought a page or ended for its own caller's reasons: the next
 * instance makes the call.
 *
 * @throws Problem with which the call ended
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
