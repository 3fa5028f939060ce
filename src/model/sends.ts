/**
 * Pure functions of the sends on a page: its newest date, its identity, its part from an instant on.
 */
import { z } from 'zod';
import type { OddRows } from './rows.ts';

/** One send, as callers see it: v2's five documented fields. What Constant Contact does not tell is an empty text. */
export const sendSchema = z.object({
  activity_type: z.string().meta({ description: 'What was done', examples: ['EMAIL_SEND'] }),
  campaign_id: z.string().meta({ description: 'The campaign, by the id that was asked for' }),
  contact_id: z.string().meta({
    description: 'Digits with v2, a UUID with v3. Like every field, empty where Constant Contact tells none',
    examples: ['21'],
  }),
  email_address: z
    .string()
    .meta({ description: 'Empty where it is not told, as of deleted contacts', examples: ['abc@example.com'] }),
  send_date: z
    .string()
    .meta({ description: 'Instant in UTC, with milliseconds', examples: ['2012-12-06T13:06:14.762Z'] }),
});
export type Send = Readonly<z.output<typeof sendSchema>>;
export const sendFields = Object.keys(sendSchema.shape) as readonly (keyof Send)[];

export interface SendsPage {
  /** Newest first. */
  readonly sends: readonly Send[];
  /** Opaque; undefined on the last page. */
  readonly cursor: string | undefined;
  /** What was not as it should be, where anything was not. */
  readonly odd?: OddRows;
}

/** What is known of a campaign without reading its sends. */
export interface CampaignSummary {
  /**
   * As Constant Contact counts them, which may be behind its pages while a campaign goes out; null where it has no number
   * yet (with v3, until a campaign has gone out).
   */
  readonly sends: number | null;
}

/** Contact and date tell a send from all others, unless one of them is missing. */
export function identityOfSend({ contact_id, send_date, email_address, activity_type }: Send): string {
  const identity = `${contact_id} ${send_date}`;
  return contact_id === '' || send_date === '' ? `${identity} ${email_address} ${activity_type}` : identity;
}

/**
 * What is left of a page from an instant on. Sends come newest first, so that nothing is behind a page that ends with an older
 * one. That order is all but documented: an older send in between ends nothing, and a page that begins with its oldest neither.
 *
 * @param createdSince canonical, as all dates of sends are that are none but empty: they can be compared as texts
 */
export function since(createdSince: string, sends: readonly Send[], cursor: string | undefined): SendsPage {
  let isWithin = true;
  let first = '';
  let last = '';
  const kept = sends.filter(({ send_date }) => {
    if (send_date !== '') {
      isWithin = send_date >= createdSince;
      first ||= send_date;
      last = send_date;
    }
    return isWithin; // A send without a date goes with the one before it.
  });
  return { sends: kept, cursor: isWithin || first < last ? cursor : undefined };
}

/** The newest date among the sends, in milliseconds. The first should have it; nothing is lost by looking. */
export function newest(sends: readonly Send[]): number | undefined {
  let latest: number | undefined;
  for (const { send_date } of sends) {
    const at = Date.parse(send_date);
    if (!Number.isNaN(at) && (latest === undefined || at > latest)) latest = at;
  }
  return latest;
}
