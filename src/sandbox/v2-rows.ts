/**
 * Rows of v2's tracking reports.
 */
import { bounceCodeOf, bounceKinds } from './bounces.ts';
import type { Campaign } from './campaign.ts';
import type { TrackingReport } from './campaign-options.ts';
import { linkIdOf } from './links.ts';
import { oddly } from './odd.ts';
import type { SandboxRow } from './rows.ts';

interface Shape {
  readonly type: string;
  readonly date: string;
  /** The report's own fields. */
  own?(campaign: Campaign, number: number): Readonly<Record<string, unknown>>;
}

const shapes: Readonly<Record<TrackingReport, Shape>> = {
  sends: { type: 'EMAIL_SEND', date: 'send_date' },
  opens: { type: 'EMAIL_OPEN', date: 'open_date' },
  clicks: {
    type: 'EMAIL_CLICK',
    date: 'click_date',
    own: (campaign, number) => ({ link_id: v2Id(campaign, linkIdOf(campaign.linkOf(number))) }),
  },
  bounces: {
    type: 'EMAIL_BOUNCE',
    date: 'bounce_date',
    own: (_, number) => {
      const code = bounceCodeOf(number);
      return { bounce_code: code, bounce_description: bounceKinds[code].description, bounce_message: '' };
    },
  },
  forwards: { type: 'EMAIL_FORWARD', date: 'forward_date' },
  unsubscribes: {
    type: 'EMAIL_UNSUBSCRIBE',
    date: 'unsubscribe_date',
    own: (_, number) => ({
      unsubscribe_source: number % 4 === 3 ? 'ACTION_BY_OWNER' : 'ACTION_BY_CUSTOMER',
      unsubscribe_reason: reasonOf(number),
    }),
  },
};

const reasons = ['', 'Too many emails', '', 'No longer interested', '', 'I never signed up, "ever"'];

/** Why a contact unsubscribed: most do not say. */
export const reasonOf = (number: number) => reasons[number % reasons.length] ?? '';

/** Writes an id as the campaign's ids are written. */
export const v2Id = ({ options: { numericIds } }: Campaign, text: string) => (numericIds ? Number(text) : text);

/** @param index position on the pages, newest first */
export function v2Row(campaign: Campaign, report: TrackingReport, row: SandboxRow, index: number): unknown {
  const { type, date, own } = shapes[report];
  const fields = own?.(campaign, row.number) ?? {};
  const written = {
    activity_type: type,
    campaign_id: v2Id(campaign, campaign.options.id),
    contact_id: v2Id(campaign, row.contactId),
    email_address: row.email,
    ...fields,
    [date]: campaign.dateOf(row.atMs),
    // Undocumented fields can appear.
    ...(index % 3 === 1 ? { undocumented: { of: 'v2' } } : {}),
  };
  return row.odd ? oddly(written, row.odd, { ...names, date, own: Object.keys(fields)[0] }) : written;
}

const names = { type: 'activity_type', campaign: 'campaign_id', contact: 'contact_id', address: 'email_address' };
