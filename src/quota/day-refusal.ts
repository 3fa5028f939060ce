/**
 * Explains the refusal of a call on a spent share: whose share it was, and when to retry.
 */

import type { TeamLimit } from './day-status.ts';

/** Why a call is refused although the account has calls left today. */
export type Spent = TeamLimit | 'client' | 'reserve';

export const details: Readonly<Record<Spent, string>> = {
  share:
    "Your team's share of the daily quota is spent; the rest is reserved for other teams. Wait for `Retry-After` seconds and retry.",
  cap: 'Your team has reached its daily limit of calls (setting `callsPerDay`).',
  client:
    "Your share of your team's daily quota is spent; the rest is reserved for its other clients. Wait for `Retry-After` seconds and retry.",
  reserve: 'The last calls of the day are reserved for interactive requests.',
};

/** Finds the first second at which a call is allowed, by binary search: lending only loosens during the day. */
export function secondsUntil(isAllowedIn: (seconds: number) => boolean, dayEndsInSeconds: number): number {
  let [refusedIn, allowedIn] = [0, dayEndsInSeconds];
  while (allowedIn - refusedIn > 1) {
    const middle = (refusedIn + allowedIn) >> 1;
    if (isAllowedIn(middle)) allowedIn = middle;
    else refusedIn = middle;
  }
  return allowedIn;
}
