/**
 * Rows of v3's tracking reports.
 */
import { bounceCodeOf } from './bounces.ts';
import type { Campaign } from './campaign.ts';
import { urlIdOf } from './links.ts';
import { oddly } from './odd.ts';
import type { SandboxRow } from './rows.ts';
import { reasonOf } from './v2-rows.ts';
import { activityIdOf, contactIdOf } from './v3.ts';

export type V3Report =
  | 'sends'
  | 'opens'
  | 'unique_opens'
  | 'didnotopens'
  | 'clicks'
  | 'forwards'
  | 'optouts'
  | 'bounces';

const devices = ['computer', 'mobile', 'computer', 'tablet', 'mobile', 'computer', 'other', 'computer'];

const deviceOf = (number: number) => devices[number % devices.length] ?? 'other';

/** Counts the rows by device among the first `total`. */
export function deviceCounts(prefix: string, total: number): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [place, device] of devices.entries()) {
    const name = `${prefix}${device}`;
    counts[name] = (counts[name] ?? 0) + Math.ceil(Math.max(0, total - place) / devices.length);
  }
  return counts;
}

type Own = (campaign: Campaign, row: SandboxRow) => Readonly<Record<string, unknown>>;
const device: Own = (_, { number }) => ({ device_type: deviceOf(number) });
const nothing: Own = () => ({});

/** Each report's own fields. */
const own: Readonly<Record<V3Report, Own>> = {
  sends: nothing,
  opens: device,
  unique_opens: device,
  didnotopens: nothing,
  clicks: (campaign, row) => {
    const link = campaign.linkOf(row.number);
    return { url_id: urlIdOf(campaign.options.id, link), link_url: campaign.urls[link], ...device(campaign, row) };
  },
  forwards: nothing,
  optouts: (_, { number }) => ({ opt_out_reason: reasonOf(number) }),
  // Some contacts have had another address since.
  bounces: (_, { number, email }) => ({
    bounce_code: bounceCodeOf(number),
    current_email_address: number % 5 === 4 ? `new.${email}` : email,
  }),
};

/** @param index position on the pages, newest first */
export function v3Row(campaign: Campaign, report: V3Report, row: SandboxRow, index: number): unknown {
  const { contactId, email, atMs, odd } = row;
  const fields = own[report](campaign, row);
  const written = {
    contact_id: contactIdOf(contactId),
    campaign_activity_id: activityIdOf(campaign.options.id),
    tracking_activity_type: `em_${report === 'unique_opens' ? 'opens' : report}`,
    email_address: email,
    ...(index % 3 === 0 ? { first_name: 'Ada', last_name: `Sandbox ${contactId}` } : {}),
    ...(index % 7 === 0 ? { deleted_at: '2019-04-10' } : {}),
    ...fields,
    created_time: campaign.dateOf(atMs),
  };
  return odd ? oddly(written, odd, { ...names, own: Object.keys(fields)[0] }) : written;
}

const names = {
  type: 'tracking_activity_type',
  campaign: 'campaign_activity_id',
  contact: 'contact_id',
  address: 'email_address',
  date: 'created_time',
};

export const isV3Report = (name: string): name is V3Report => Object.hasOwn(own, name);
