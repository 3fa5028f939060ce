/**
 * Rows of a list, read one by one. In a report's, an odd field costs neither the row nor the page.
 */
import { z } from 'zod';
import { parseInstantInUtc } from './instant.ts';

/** Fields of rows that can be odd, by the names that callers know; `link`: the link to the next page has unknown parameters. */
export type OddField = 'activity_type' | 'campaign_id' | 'contact_id' | 'email_address' | 'send_date' | 'link';

/** In how many rows of a page a field was not what it should be. */
export type OddRows = ReadonlyMap<OddField, number>;

/** Reads a value; undefined when it is not what it should be. */
export type Reader = (value: unknown) => string | undefined;

interface Field {
  readonly read: Reader;
  /** Its name in answers to callers. */
  readonly name: OddField;
}

export const text: Reader = (value) => (typeof value === 'string' ? value : undefined);

/** Ids are documented as strings and seen as numbers; a number that JSON.parse has rounded is no id any more. */
export const id: Reader = (value) => {
  if (typeof value === 'string' && value !== '') return value;
  return Number.isSafeInteger(value) && Number(value) >= 0 ? String(value) : undefined;
};

/** As nearly all dates come. The pattern alone tells that it is a date, in a fifth of the time that parsing takes. */
const canonical = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const dateLength = '2012-12-06'.length;

/**
 * A date-time as UTC with milliseconds (`2012-12-06T13:06:14.762Z`). Without a zone it is UTC, never the machine's: both APIs tell
 * their dates in UTC. A date alone is none.
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
  z.array(z.unknown()).transform((all, context) => readEach(all, context, (one) => row.safeParse(one).data));

/**
 * A list of rows with these fields. A field that is missing or not what it should be becomes an empty text. Only what has none
 * of the fields is no row, and refuses the list.
 *
 * Plain functions, and no schema: zod takes 12 µs to say what is wrong with a row, and an answer can hold 25,000 of them.
 */
export function tolerantRows<N extends string>(fields: Readonly<Record<N, Field>>) {
  const entries = Object.entries<Field>(fields) as [N, Field][];
  type Row = Record<N, string>;

  function read(one: unknown, odd: Map<OddField, number>): Readonly<Row> | undefined {
    if (typeof one !== 'object' || one === null) return undefined;
    const given = one as Readonly<Partial<Record<N, unknown>>>;
    const row = {} as Row;
    let isRow = false;
    for (const [name, field] of entries) {
      const value = field.read(given[name]);
      isRow ||= value !== undefined || Object.hasOwn(given, name);
      if (value === undefined) odd.set(field.name, (odd.get(field.name) ?? 0) + 1);
      row[name] = value ?? '';
    }
    return isRow ? row : undefined;
  }

  return z
    .array(z.unknown())
    .transform((all, context): { readonly rows: readonly Readonly<Row>[]; readonly odd: OddRows } => {
      const odd = new Map<OddField, number>();
      return { rows: readEach(all, context, (one) => read(one, odd)), odd };
    });
}

/** @param read undefined for what is no row */
function readEach<T>(
  all: readonly unknown[],
  context: z.RefinementCtx,
  read: (one: unknown) => T | undefined,
): readonly T[] {
  const rows: T[] = [];
  for (const one of all) {
    const row = read(one);
    if (row === undefined) {
      context.addIssue('not a row');
      return z.NEVER;
    }
    rows.push(row);
  }
  return rows;
}
