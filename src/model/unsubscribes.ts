/**
 * The unsubscribes report: who unsubscribed after a campaign, and when.
 */
import { z } from 'zod';
import type { Report } from './report.ts';
import { instant } from './rows.ts';
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

const schema = z.object({
  ...trackingShape('EMAIL_UNSUBSCRIBE'),
  unsubscribe_date: dateOfRow,
  unsubscribe_source: z.string().meta({
    description: 'Who did it: the contact or the owner of the account. Empty with v3',
    examples: ['ACTION_BY_CUSTOMER'],
  }),
  unsubscribe_reason: z.string().meta({ description: "The contact's reason, if given" }),
});
export type Unsubscribe = Readonly<z.output<typeof schema>>;

export const unsubscribesReport = {
  name: 'unsubscribes',
  rowName: 'unsubscribe',
  schema,
  fields: schema.keyof().options,
  ...tracking,
  dateField: 'unsubscribe_date',
  identity: (row) => identityOf(row, row.unsubscribe_date),
  v2: {
    segment: 'unsubscribes',
    fields: {
      ...v2TrackingFields,
      unsubscribe_date: { from: 'unsubscribe_date', read: instant },
      unsubscribe_source: { from: 'unsubscribe_source', read: optionalText },
      unsubscribe_reason: { from: 'unsubscribe_reason', read: optionalText },
    },
  },
  v3: {
    segment: 'optouts',
    fields: {
      ...v3TrackingFields({ em_optouts: 'EMAIL_UNSUBSCRIBE' }),
      unsubscribe_date: v3Date,
      unsubscribe_source: 'absent',
      unsubscribe_reason: { from: 'opt_out_reason', read: optionalText },
    },
  },
} satisfies Report<Unsubscribe>;
