/**
 * The columns of a report: its fields, the contact first, as rows of every report have them in one order.
 */
import type { ReportRow } from './reports.ts';
import { timeInWords } from './times.ts';
import { capital, unknown } from './words.ts';

export interface Column {
  readonly field: string;
  readonly heading: string;
  readonly kind: 'address' | 'date' | 'link' | 'code' | 'description' | 'other' | 'contact' | 'uuid';
}

/** The same in every row. */
const leftOut: ReadonlySet<string> = new Set(['activity_type', 'campaign_id']);
const order = [
  'address',
  'date',
  'link',
  'code',
  'description',
  'other',
  'contact',
  'uuid',
] as const satisfies readonly Column['kind'][];

/** @param row any of the report: all have the same fields */
export function columnsOf(row: ReportRow): readonly Column[] {
  const columns = Object.entries(row)
    .filter(([field]) => !leftOut.has(field))
    .map(([field, value]) => ({ field, heading: headingOf(field), kind: kindOf(field, value) }));
  return order.flatMap((kind) => columns.filter((column) => column.kind === kind));
}

const suffixes = ['code', 'description'] as const;
const maxDigits = 20;

const kinds: Readonly<Record<string, Column['kind']>> = {
  email_address: 'address',
  contact_id: 'contact',
  link_id: 'link',
};

/** @param value v2's contacts have digits, v3's a UUID, which takes more space */
function kindOf(field: string, value: string): Column['kind'] {
  if (isDate(field)) return 'date';
  const kind = kinds[field] ?? suffixes.find((suffix) => field.endsWith(`_${suffix}`)) ?? 'other';
  return kind === 'contact' && value.length > maxDigits ? 'uuid' : kind;
}

const isDate = (field: string) => field.endsWith('_date');

/** `bounce_code` as `Code`: the tab names the report. */
function headingOf(field: string): string {
  const words = field.replace(/^(send|open|click|bounce|forward|unsubscribe)_/, '').replace(/_id$/, '');
  return capital(words.replaceAll('_', ' '));
}

/** Returns a field of a row; all are strings. */
export const fieldOf = (row: ReportRow, field: string) => row[field as keyof ReportRow];

export function textOf(row: ReportRow, { field, kind }: Column): string {
  const value = fieldOf(row, field);
  return kind === 'date' ? timeInWords(value, 'second') : value || unknown;
}

export const dateOfRow = (row: ReportRow) => {
  const field = Object.keys(row).find(isDate);
  return field === undefined ? '' : fieldOf(row, field);
};
