/**
 * Parsing shared by both versions.
 */
import { z } from 'zod';
import type { Link } from '../model/campaign.ts';
import { parseJson } from '../model/json.ts';
import { id, instant, type Reader, text } from '../model/rows.ts';
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

/** A count, or null if it is missing or unreadable. Documented as a number; a numeric string is accepted. */
const count = z
  .int()
  .nonnegative()
  .or(
    z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number),
  );
export const countOrNull = count.nullable().catch(null);

/** Fields of a single object. One that is missing or unreadable is empty. */
export const readsAs = (read: Reader) =>
  z
    .unknown()
    .optional()
    .transform((value) => read(value) ?? '');
export const textOrEmpty = readsAs(text);
export const idOrEmpty = readsAs(id);
export const dateOrEmpty = readsAs(instant);

/** Most entries read from the list of a single object. */
const maxEntries = 1_000;

/** A list in a single object: unreadable entries are skipped, and a missing list is empty. */
export const someOf = <T>(entry: z.ZodType<T>) =>
  z
    .array(z.unknown())
    .catch([])
    .transform((all) =>
      all.slice(0, maxEntries).flatMap((one): T[] => {
        const { data, success } = entry.safeParse(one);
        return success ? [data] : [];
      }),
    );

/** Sorts links, the most clicked first. */
export const byClicks = (links: readonly Link[]): Link[] =>
  links.toSorted((a, b) => (b.clicks ?? -1) - (a.clicks ?? -1));
