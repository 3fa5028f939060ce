/**
 * Reads the rows of a list. In a report, an odd field costs neither the row nor the page.
 */
import { z } from 'zod';
import { parseInstantInUtc } from './instant.ts';

/** A field whose value was not as documented, by its name in answers; `link`: the link to the next page has unknown parameters. */
export type OddField = string;

/** In how many rows of a page a field was odd. */
export type OddRows = ReadonlyMap<OddField, number>;

/** Reads a value; undefined when it is not what it should be. */
export type Reader = (value: unknown) => string | undefined;

/**
 * Where a field of a row comes from: out of a field of Constant Contact's row; `asked`: the campaign id in the request; `absent`:
 * Constant Contact has no value for it, and it is empty.
 */
export type FieldSource = { readonly from: string; readonly read: Reader } | 'asked' | 'absent';

/** The source of each field, in the order in which rows have them. */
export type RowFields<N extends string = string> = Readonly<Record<N, FieldSource>>;

export const text: Reader = (value) => (typeof value === 'string' ? value : undefined);

/** Ids are documented as strings and seen as numbers; a number that JSON.parse has rounded is no id any more. */
export const id: Reader = (value) => {
  if (typeof value === 'string' && value !== '') return value;
  return Number.isSafeInteger(value) && Number(value) >= 0 ? String(value) : undefined;
};

/** The form of nearly all dates. The pattern alone proves a date, in a fifth of the time of parsing. */
const canonical = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const dateLength = '2012-12-06'.length;

/**
 * A date-time as UTC with milliseconds (`2012-12-06T13:06:14.762Z`). Without a zone it is UTC, as in both APIs, never
 * the machine's. A date alone is not accepted.
 */
export const instant: Reader = (value) => {
  if (typeof value !== 'string' || value.length <= dateLength) return undefined;
  return canonical.test(value) ? value : parseInstantInUtc(value.replace(' ', 'T'));
};

/**
 * A list of rows with this schema; one that does not match refuses the list. It is read up to the first of those: a schema for all
 * of them would describe each mistake in each row, which takes seconds where nothing is a row.
 */
export const strictRows = <T>(row: z.ZodType<T>) =>
  z.array(z.unknown()).transform((all, context): readonly T[] => {
    const rows: T[] = [];
    for (const one of all) {
      const { success, data } = row.safeParse(one);
      if (!success) {
        context.addIssue('not a row');
        return z.NEVER;
      }
      rows.push(data);
    }
    return rows;
  });

type TextRow = Record<string, string>;

/**
 * Reads a list of rows. A field that is missing or not as documented becomes an empty text. Only what has none of the fields is no
 * row: then the list is refused, with undefined.
 *
 * Plain functions, and no schema: zod takes 12 µs to say what is wrong with a row, and an answer can hold 25,000 of them.
 *
 * @param campaign the id in the request
 */
export function readRows(
  fields: RowFields,
  list: readonly unknown[],
  campaign: string,
): { readonly rows: readonly Readonly<TextRow>[]; readonly odd: OddRows } | undefined {
  const sources = Object.entries(fields);
  const rows: Readonly<TextRow>[] = [];
  const odd = new Map<OddField, number>();
  for (const one of list) {
    const row = readRow(sources, one, campaign, odd);
    if (!row) return undefined;
    rows.push(row);
  }
  return { rows, odd };
}

function readRow(
  sources: readonly (readonly [string, FieldSource])[],
  one: unknown,
  campaign: string,
  odd: Map<OddField, number>,
): Readonly<TextRow> | undefined {
  if (typeof one !== 'object' || one === null) return undefined;
  const given = one as Readonly<Record<string, unknown>>;
  const row: TextRow = {};
  let isRow = false;
  for (const [name, source] of sources) {
    if (typeof source === 'string') {
      row[name] = source === 'asked' ? campaign : '';
      continue;
    }
    const value = source.read(given[source.from]);
    isRow ||= value !== undefined || Object.hasOwn(given, source.from);
    if (value === undefined) odd.set(name, (odd.get(name) ?? 0) + 1);
    row[name] = value ?? '';
  }
  return isRow ? row : undefined;
}
