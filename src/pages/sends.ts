/**
 * Pure functions of the sends on a page: its newest date, its identity, its part from an instant on.
 */
import type { Send, SendsPage } from '../upstream/dialect.ts';

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
