/**
 * Pure functions of the sends on a page: its newest date, its identity, its part from an instant on.
 */
import type { Send, SendsPage } from '../upstream/dialect.ts';

/** Contact and date tell a send from all others, unless one of them is missing. */
export function identityOfSend({ contact_id, send_date, email_address, activity_type }: Send): string {
  const identity = `${contact_id} ${send_date}`;
  return contact_id === '' || send_date === '' ? `${identity} ${email_address} ${activity_type}` : identity;
}

/** What is left of a page from an instant on: nothing behind the first send that is older, neither sends nor pages. */
export function since(createdSince: string, sends: readonly Send[], cursor: string | undefined): SendsPage {
  const sinceMs = Date.parse(createdSince);
  const end = sends.findIndex(({ send_date }) => Date.parse(send_date) < sinceMs);
  return end === -1 ? { sends, cursor } : { sends: sends.slice(0, end), cursor: undefined };
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
