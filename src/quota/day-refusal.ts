/**
 * The refusal of a call when a part of the day is spent: whose part it was, and when a call is possible again.
 */

/** Why a call may not be made, though the account's day is not spent. */
export type Spent = 'team' | 'cap' | 'client' | 'reserve';

export const details: Readonly<Record<Spent, string>> = {
  team: "Your team's part of the day's calls is spent, and the other teams keep theirs. Wait as long as `Retry-After` says.",
  cap: 'Your team has made all the calls that it may make in a day (setting `callsPerDay`).',
  client:
    "Your part of your team's calls of the day is spent; the rest is for its other clients. Wait as long as `Retry-After` says.",
  reserve: "The last of the account's calls of the day are for callers who wait for a page.",
};

/** The first second at which a call is allowed, by binary search: lending only loosens during the day. */
export function secondsUntil(isAllowedIn: (seconds: number) => boolean, dayEndsInSeconds: number): number {
  let [refusedIn, allowedIn] = [0, dayEndsInSeconds];
  while (allowedIn - refusedIn > 1) {
    const middle = (refusedIn + allowedIn) >> 1;
    if (isAllowedIn(middle)) allowedIn = middle;
    else refusedIn = middle;
  }
  return allowedIn;
}
