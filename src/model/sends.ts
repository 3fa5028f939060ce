/**
 * The sends report: who received a campaign, and when.
 */
import { z } from 'zod';
import type { Report } from './report.ts';
import { instant } from './rows.ts';
import { dateOfRow, trackingShape, v2TrackingFields, v3Date, v3TrackingFields } from './tracking-row.ts';

const schema = z.object({ ...trackingShape('EMAIL_SEND'), send_date: dateOfRow });
export type Send = Readonly<z.output<typeof schema>>;

export const sendsReport = {
  name: 'sends',
  rowName: 'send',
  schema,
  fields: schema.keyof().options,
  dateField: 'send_date',
  // Contact and date identify a send unless one of them is missing.
  identity({ contact_id, send_date, email_address, activity_type }) {
    const identity = `${contact_id} ${send_date}`;
    return contact_id === '' || send_date === '' ? `${identity} ${email_address} ${activity_type}` : identity;
  },
  v2: { segment: 'sends', fields: { ...v2TrackingFields, send_date: { from: 'send_date', read: instant } } },
  v3: { segment: 'sends', fields: { ...v3TrackingFields({ em_sends: 'EMAIL_SEND' }), send_date: v3Date } },
} satisfies Report<Send>;
