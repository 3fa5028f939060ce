/**
 * The columns of a report: its fields, the contact first, as rows of every report have them in one order.
 */
import type { ReportRow } from './reports.ts';
import { capital, instantInWords, unknown } from './words.ts';

export interface Column {
  readonly field: string;
  readonly heading: string;
  readonly kind: 'address' | 'date' | 'contact' | 'other';
}

/** The same in every row. */
const leftOut: ReadonlySet<string> = new Set(['activity_type', 'campaign_id']);
const order = ['address', 'date', 'other', 'contact'] as const satisfies readonly Column['kind'][];

/** @param row any of the report: all have the same fields */
export function columnsOf(row: ReportRow): readonly Column[] {
  const columns = Object.keys(row)
    .filter((field) => !leftOut.has(field))
    .map((field) => ({ field, heading: headingOf(field), kind: kindOf(field) }));
  return order.flatMap((kind) => columns.filter((column) => column.kind === kind));
}

function kindOf(field: string): Column['kind'] {
  if (field === 'email_address') return 'address';
  if (field === 'contact_id') return 'contact';
  return field.endsWith('_date') ? 'date' : 'other';
}

/** `bounce_code` as `Bounce code`. */
function headingOf(field: string): string {
  const words = capital(field.replace(/_id$/, '').replaceAll('_', ' '));
  return kindOf(field) === 'date' ? `${words} (UTC)` : words;
}

/** Returns a field of a row; all are strings. */
export const fieldOf = (row: ReportRow, field: string) => row[field as keyof ReportRow];

export function textOf(row: ReportRow, { field, kind }: Column): string {
  const value = fieldOf(row, field);
  return kind === 'date' ? instantInWords(value) : value || unknown;
}

export const dateOfRow = (row: ReportRow) => {
  const field = Object.keys(row).find((name) => kindOf(name) === 'date');
  return field === undefined ? '' : fieldOf(row, field);
};
