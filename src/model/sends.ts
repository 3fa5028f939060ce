/**
 * The sends report: who received a campaign, and when.
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

const schema = z.object({ ...trackingShape('EMAIL_SEND'), send_date: dateOfRow });
export type Send = Readonly<z.output<typeof schema>>;

export const sendsReport = {
  name: 'sends',
  rowName: 'send',
  schema,
  fields: schema.keyof().options,
  ...tracking,
  dateField: 'send_date',
  identity: (row) => identityOf(row, row.send_date),
  v2: { segment: 'sends', fields: { ...v2TrackingFields, send_date: { from: 'send_date', read: instant } } },
  v3: { segment: 'sends', fields: { ...v3TrackingFields({ em_sends: 'EMAIL_SEND' }), send_date: v3Date } },
} satisfies Report<Send>;
