/**
 * Query parameters of the resources.
 */
import { z } from 'zod';
import { cursorPattern } from '../model/cursor.ts';
import { instantSchema, lacksZone } from '../model/instant.ts';

/** A query parameter: its schema, and the messages for an invalid value. */
export interface Parameter<T> {
  readonly schema: z.ZodType<T, string>;
  readonly problem: (text: string) => string;
  readonly allowed: string;
}

export type Parameters = Readonly<Record<string, Parameter<unknown>>>;

/** Rows per page: Constant Contact's maximum and default. */
export const maxLimit = 500;

const createdSince: Parameter<string> = {
  schema: instantSchema.meta({
    description: 'Only rows on or after this instant. A date means midnight UTC; a date-time needs `Z` or an offset.',
    examples: ['2012-12-06T13:06:14.762Z'],
  }),
  problem: (text) => (lacksZone(text) ? 'has no time zone' : 'is not a date or date-time'),
  allowed: 'an ISO-8601 date, or a date-time with Z or an offset, such as 2012-12-06T13:06:14.762Z',
};

const limit: Parameter<number> = {
  schema: z
    .string()
    .regex(/^\d{1,6}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(maxLimit))
    .meta({ description: 'Rows per page. Ignored with `next`: a cursor carries its own.', default: maxLimit }),
  problem: () => 'is out of range',
  allowed: `an integer from 1 to ${maxLimit}`,
};

const next: Parameter<string> = {
  schema: z
    .string()
    .regex(cursorPattern)
    .meta({ description: 'The cursor from a `next_link`; opaque.', examples: ['c3RhcnRBdD0zJmxpbWl0PTI'] }),
  problem: () => 'is not a cursor',
  allowed: 'the cursor from a next_link: 1 to 2,048 printable ASCII characters',
};

export const pageParameters = { created_since: createdSince, limit, next } as const;
export const exportParameters = { created_since: createdSince } as const;
export const summaryParameters = {} as const;
