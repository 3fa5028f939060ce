/**
 * Query parameters of the resources.
 */
import { z } from 'zod';
import { cursorPattern } from '../model/cursor.ts';
import { statusFilters } from '../model/directory.ts';
import { instantSchema, lacksZone } from '../model/instant.ts';
import type { List } from '../model/list.ts';
import type { ExportName } from './export/formats.ts';

/** A query parameter: its schema, and the messages for an invalid value. */
export interface Parameter<T> {
  readonly schema: z.ZodType<T, string>;
  readonly problem: (text: string) => string;
  readonly allowed: string;
}

export type Parameters = Readonly<Record<string, Parameter<unknown> | undefined>>;

const since = (what: string): Parameter<string> => ({
  schema: instantSchema.meta({
    description: `Only ${what} on or after this instant. A date means midnight UTC; a date-time needs \`Z\` or an offset, as in \`2012-12-06T13:06:14.762Z\`.`,
  }),
  problem: (text) => (lacksZone(text) ? 'has no time zone' : 'is not a date or date-time'),
  allowed: 'an ISO-8601 date, or a date-time with Z or an offset, such as 2012-12-06T13:06:14.762Z',
});

const limit = (max: number): Parameter<number> => ({
  schema: z
    .string()
    .regex(/^\d{1,6}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(max))
    .meta({ description: `Rows per page, ${max} by default. Ignored with \`next\`: a cursor carries its own.` }),
  problem: () => 'is out of range',
  allowed: `an integer from 1 to ${max}`,
});

const next: Parameter<string> = {
  schema: z.string().regex(cursorPattern).meta({ description: 'The cursor from a `next_link`; opaque.' }),
  problem: () => 'is not a cursor',
  allowed: 'the cursor from a next_link: 1 to 2,048 printable ASCII characters',
};

const linkId: Parameter<string> = {
  schema: z
    .string()
    .regex(/^\d{1,20}$/)
    .overwrite((digits) => digits.replace(/^0+(?=\d)/, ''))
    .meta({ description: 'Only clicks on this link, by its `link_id` in `/campaigns/{id}/links`.' }),
  problem: () => 'is not a link id',
  allowed: '1 to 20 digits',
};

const status: Parameter<string> = {
  schema: z
    .string()
    .transform((text) => text.toUpperCase())
    .pipe(z.enum(statusFilters))
    .meta({
      description:
        'Only campaigns in this state, in upper or lower case. Deleted ones are listed with `DELETED` or `ALL` only.',
    }),
  problem: () => 'is not a status',
  allowed: statusFilters.join(', '),
};

const bom: Parameter<string> = {
  schema: z
    .enum(['1'])
    .meta({ description: 'Begins the file with a byte order mark, by which Excel recognizes UTF-8.' }),
  problem: () => 'is not 1',
  allowed: '1',
};

/** All parameters of lists. */
interface ListParameters {
  readonly created_since: Parameter<string>;
  readonly modified_since: Parameter<string>;
  readonly link_id: Parameter<string>;
  readonly status: Parameter<string>;
  readonly limit: Parameter<number>;
  readonly next: Parameter<string>;
  readonly bom: Parameter<string>;
}

const filters = { link_id: linkId, status } as const;

/** Parameters that select the rows of a list. */
const selection = ({ since: name, filter }: List): Partial<ListParameters> => ({
  [name]: since(name === 'created_since' ? 'rows' : 'campaigns changed'),
  ...(filter && { [filter.name]: filters[filter.name] }),
});

/** Parameters of a list's pages. */
export const pageParameters = (list: List): Partial<ListParameters> => ({
  ...selection(list),
  limit: limit(list.maxLimit),
  next,
});

/** Parameters of a list's export. */
export const exportParameters = (list: List, format: ExportName): Partial<ListParameters> => ({
  ...selection(list),
  ...(format === 'csv' && { bom }),
});
