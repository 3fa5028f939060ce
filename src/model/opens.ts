/**
 * The opens report: who opened a campaign, and when. A contact opens it any number of times.
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

const schema = z.object({ ...trackingShape('EMAIL_OPEN'), open_date: dateOfRow });
export type Open = Readonly<z.output<typeof schema>>;

export const opensReport = {
  name: 'opens',
  rowName: 'open',
  schema,
  fields: schema.keyof().options,
  ...tracking,
  dateField: 'open_date',
  identity: (row) => identityOf(row, row.open_date),
  v2: { segment: 'opens', fields: { ...v2TrackingFields, open_date: { from: 'open_date', read: instant } } },
  v3: { segment: 'opens', fields: { ...v3TrackingFields({ em_opens: 'EMAIL_OPEN' }), open_date: v3Date } },
} satisfies Report<Open>;
