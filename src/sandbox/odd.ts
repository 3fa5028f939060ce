/**
 * Makes rows that deviate from the documentation: deleted contacts, numeric ids, unreadable dates.
 */

/**
 * What is odd about a row, and how, such as `null-address`. `own` is the first of the report's own fields, if it has any
 * (`link_id`, `bounce_code`); `other-row` an object of another kind.
 */
export type OddKind =
  | `${'no' | 'null' | 'empty' | 'numeric' | 'text'}-${'type' | 'campaign' | 'contact' | 'address' | 'date' | 'own'}`
  | `${'null' | 'text' | 'numeric' | 'list' | 'other'}-row`;

/** Names of a row's fields. */
export type RowNames = Readonly<
  Record<'type' | 'campaign' | 'contact' | 'address' | 'date', string> & { own: string | undefined }
>;

/** An address that must never appear in a response or a log. */
export const leak = 'leak@example.com';

const rows: Readonly<Record<string, unknown>> = {
  null: null,
  text: leak,
  numeric: 7,
  list: [leak],
  other: { url: leak },
};

/** As an id, a number that JSON.parse rounds; as a date, milliseconds. */
const numeric = { contact: 2 ** 60, campaign: 2 ** 60, date: 1_354_799_174_762, address: 7, type: 7, own: 7 } as const;

export function oddly(row: Readonly<Record<string, unknown>>, kind: OddKind, names: RowNames): unknown {
  const [how = '', part] = kind.split('-') as [string, keyof RowNames | 'row'];
  if (part === 'row') return rows[how];
  const name = names[part];
  if (name === undefined) return row;
  const { [name]: _, ...rest } = row;
  if (how === 'no') return rest;
  const values: Readonly<Record<string, unknown>> = {
    null: null,
    empty: '',
    numeric: numeric[part],
    text: 'yesterday',
  };
  return { ...row, [name]: values[how] };
}
