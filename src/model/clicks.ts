/**
 * The clicks report: who clicked which link of a campaign, and when.
 */
import { z } from 'zod';
import type { Report } from './report.ts';
import { id, instant } from './rows.ts';
import {
  dateOfRow,
  identityOf,
  tracking,
  trackingShape,
  v2TrackingFields,
  v3Date,
  v3TrackingFields,
} from './tracking-row.ts';

const schema = z.object({
  ...trackingShape('EMAIL_CLICK'),
  link_id: z.string().meta({ description: 'The link, as in `/campaigns/{id}/links`', examples: ['1'] }),
  click_date: dateOfRow,
});
export type Click = Readonly<z.output<typeof schema>>;

export const clicksReport = {
  name: 'clicks',
  rowName: 'click',
  schema,
  fields: schema.keyof().options,
  ...tracking,
  dateField: 'click_date',
  filter: { name: 'link_id' },
  identity: (row) => identityOf(row, row.click_date, row.link_id),
  v2: {
    segment: 'clicks',
    fields: {
      ...v2TrackingFields,
      link_id: { from: 'link_id', read: id },
      click_date: { from: 'click_date', read: instant },
    },
  },
  v3: {
    segment: 'clicks',
    fields: {
      ...v3TrackingFields({ em_clicks: 'EMAIL_CLICK' }),
      link_id: { from: 'url_id', read: id },
      click_date: v3Date,
    },
  },
} satisfies Report<Click>;
