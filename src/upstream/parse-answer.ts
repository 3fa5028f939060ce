/**
 * Parsing shared by both versions.
 */
import { z } from 'zod';
import { parseJson } from '../model/json.ts';
import { Problem } from '../problems.ts';

/** Parses a JSON response. @throws Problem `upstream-failed` */
export function parseAnswer<T>(shape: z.ZodType<T>, body: string): T {
  let json: unknown;
  try {
    json = parseJson(body);
  } catch {
    // The SyntaxError quotes the body, so it is not passed on.
    throw new Problem('upstream-failed', { reason: 'malformed' });
  }
  const parsed = shape.safeParse(json);
  if (!parsed.success) throw new Problem('upstream-failed', { reason: 'schema' });
  return parsed.data;
}

/** A count. Documented as a number; a numeric string is accepted. */
export const count = z
  .int()
  .nonnegative()
  .or(
    z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number),
  );
