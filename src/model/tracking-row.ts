/**
 * Fields shared by the rows of all tracking reports.
 */
import { z } from 'zod';
import { id, instant, type Reader, type RowFields, text } from './rows.ts';

/**
 * The shared fields as callers see them: v2's documented ones. Each report appends its own.
 *
 * @param activityType example for this report
 */
export const trackingShape = (activityType: string) => ({
  activity_type: z.string().meta({ description: 'What happened', examples: [activityType] }),
  campaign_id: z.string().meta({ description: 'The campaign, by the id in the request' }),
  contact_id: z.string().meta({
    description: 'Digits with v2, a UUID with v3. Like every field, empty if Constant Contact does not say',
    examples: ['21'],
  }),
  email_address: z.string().meta({
    description: 'Empty if Constant Contact does not say, as for deleted contacts',
    examples: ['abc@example.com'],
  }),
});

const exampleDate = '2012-12-06T13:06:14.762Z';
/** Date of a row's event. */
export const dateOfRow = z.string().meta({ description: 'Instant in UTC, with milliseconds', examples: [exampleDate] });

type TrackingRow = Readonly<Record<keyof ReturnType<typeof trackingShape>, string>>;
type TrackingFields = RowFields<keyof ReturnType<typeof trackingShape>>;

export const v2TrackingFields: TrackingFields = {
  activity_type: { from: 'activity_type', read: text },
  campaign_id: { from: 'campaign_id', read: id },
  contact_id: { from: 'contact_id', read: id },
  email_address: { from: 'email_address', read: text },
};

/** The shared fields in v3's rows. @param v2Types v2's activity types by v3's; others keep their name */
export const v3TrackingFields = (v2Types: Readonly<Record<string, string>>): TrackingFields => ({
  activity_type: {
    from: 'tracking_activity_type',
    read: (value) => {
      const type = text(value);
      return type !== undefined && Object.hasOwn(v2Types, type) ? v2Types[type] : type;
    },
  },
  // v3's rows contain an activity's id.
  campaign_id: 'asked',
  contact_id: { from: 'contact_id', read: id },
  email_address: { from: 'email_address', read: text },
});

/** Date of a v3 row, in any report. */
export const v3Date = { from: 'created_time', read: instant } as const;

/** A text that Constant Contact may leave out. */
export const optionalText: Reader = (value) => text(value ?? '');

/**
 * Identity of a row: contact and date. Where one of them is missing, address and type tell rows apart.
 *
 * @param further fields in which rows of one contact and date can differ
 */
export function identityOf(row: TrackingRow, date: string, ...further: readonly string[]): string {
  const { contact_id, email_address, activity_type } = row;
  const rest = contact_id === '' || date === '' ? [email_address, activity_type] : [];
  return [contact_id, date, ...further, ...rest].join(' ');
}

/** What all reports have in common. */
export const tracking = {
  body: 'page',
  freshness: 'report',
  askedField: 'campaign_id',
  since: 'created_since',
  maxLimit: 500,
} as const;
