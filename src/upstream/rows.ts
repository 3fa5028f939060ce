/**
 * The rows of a report, read one by one: what is odd in one costs that field, and neither the row nor the page.
 */
import { z } from 'zod';

/** Fields of rows that can be odd, by the names that callers know; `link`: the link to the next page has unknown parameters. */
export type OddField = 'activity_type' | 'campaign_id' | 'contact_id' | 'email_address' | 'send_date' | 'link';

/** In how many rows of a page a field was not what it should be. */
export type OddRows = ReadonlyMap<OddField, number>;

/** Reads a value; undefined when it is not what it should be. */
export type Reader = (value: unknown) => string | undefined;

interface Field {
  readonly read: Reader;
  /** What callers know it as. */
  readonly name: OddField;
}

export const text: Reader = (value) => (typeof value === 'string' ? value : undefined);

/** Ids are documented as strings and seen as numbers; a number that JSON.parse has rounded is no id any more. */
export const id: Reader = (value) => {
  if (typeof value === 'string' && value !== '') return value;
  return Number.isSafeInteger(value) && Number(value) >= 0 ? String(value) : undefined;
};

/**
 * A list of rows with these fields. A field that is missing or not what it should be becomes an empty text. Only what has none
 * of the fields is no row, and ends the reading.
 *
 * Plain functions, and no schema: zod takes 12 µs to say what is wrong with a row, and an answer can hold 25,000 of them.
 */
export function rowsOf<N extends string>(fields: Readonly<Record<N, Field>>) {
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
      const rows: Readonly<Row>[] = [];
      for (const one of all) {
        const row = read(one, odd);
        if (!row) {
          context.addIssue('not a row');
          return z.NEVER;
        }
        rows.push(row);
      }
      return { rows, odd };
    });
}
