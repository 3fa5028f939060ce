/**
 * The forwards report: who forwarded a campaign, and when.
 */
import { z } from 'zod';
import type { Report } from './report.ts';
import { instant } from './rows.ts';
import {
  dateOfRow,
  identityOf,
  tracking,
  trackingShape,
  v2TrackingFields,
  v3Date,
  v3TrackingFields,
} from './tracking-row.ts';

const schema = z.object({ ...trackingShape('EMAIL_FORWARD'), forward_date: dateOfRow });
export type Forward = Readonly<z.output<typeof schema>>;

export const forwardsReport = {
  name: 'forwards',
  rowName: 'forward',
  schema,
  fields: schema.keyof().options,
  ...tracking,
  dateField: 'forward_date',
  identity: (row) => identityOf(row, row.forward_date),
  v2: { segment: 'forwards', fields: { ...v2TrackingFields, forward_date: { from: 'forward_date', read: instant } } },
  v3: { segment: 'forwards', fields: { ...v3TrackingFields({ em_forwards: 'EMAIL_FORWARD' }), forward_date: v3Date } },
} satisfies Report<Forward>;
