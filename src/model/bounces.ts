/**
 * The bounces report: whom a campaign did not reach, and why.
 */
import { z } from 'zod';
import type { Report } from './report.ts';
import { instant, type Reader, text } from './rows.ts';
import {
  dateOfRow,
  identityOf,
  optionalText,
  tracking,
  trackingShape,
  v2TrackingFields,
  v3Date,
  v3TrackingFields,
} from './tracking-row.ts';

/** Descriptions of the codes, which v3 leaves out (vendor's documentation). */
const descriptions: ReadonlyMap<string, string> = new Map([
  ['B', 'Non-existent address'],
  ['D', 'Undeliverable'],
  ['F', 'Mailbox full'],
  ['S', 'Suspended'],
  ['V', 'Vacation'],
  ['X', 'Other'],
  ['Z', 'Blocked'],
]);
const descriptionOfCode: Reader = (code) => (typeof code === 'string' ? (descriptions.get(code) ?? '') : undefined);

const schema = z.object({
  ...trackingShape('EMAIL_BOUNCE'),
  bounce_code: z.string().meta({
    description:
      'B non-existent address, D undeliverable, F mailbox full, S suspended, V vacation (was delivered), X other, Z blocked',
    examples: ['B'],
  }),
  bounce_description: z.string().meta({ description: 'The code in words', examples: ['Non-existent address'] }),
  bounce_message: z.string().meta({ description: 'Empty with v3' }),
  bounce_date: dateOfRow,
});
export type Bounce = Readonly<z.output<typeof schema>>;

export const bouncesReport = {
  name: 'bounces',
  rowName: 'bounce',
  schema,
  fields: schema.keyof().options,
  ...tracking,
  dateField: 'bounce_date',
  identity: (row) => identityOf(row, row.bounce_date),
  v2: {
    segment: 'bounces',
    fields: {
      ...v2TrackingFields,
      bounce_code: { from: 'bounce_code', read: text },
      bounce_description: { from: 'bounce_description', read: optionalText },
      bounce_message: { from: 'bounce_message', read: optionalText },
      bounce_date: { from: 'bounce_date', read: instant },
    },
  },
  v3: {
    segment: 'bounces',
    fields: {
      ...v3TrackingFields({ em_bounces: 'EMAIL_BOUNCE' }),
      bounce_code: { from: 'bounce_code', read: text },
      bounce_description: { from: 'bounce_code', read: descriptionOfCode },
      bounce_message: 'absent',
      bounce_date: v3Date,
    },
  },
} satisfies Report<Bounce>;
