/**
 * Settings of the account's quota.
 */
import { z } from 'zod';
import { integer, live, optionalFile } from '../value-schemas.ts';

export const quota = z
  .strictObject({
    perSecond: live(integer(1, 1000, 4, 'Calls to Constant Contact in any one second')),
    perDay: live(integer(1, 100_000_000, 10_000, 'Calls to Constant Contact per day (UTC)')),
    reserve: live(integer(0, 100, 5, 'Percentage of the daily quota reserved for interactive requests')),
    maxWaitMs: live(integer(0, 600_000, 8_000, 'Longest time to queue for a call; longer waits get 503 immediately')),
    maxQueue: live(integer(1, 100_000, 1_000, 'Calls queued at once, for each team and urgency')),
    stateFile: optionalFile(
      "Deprecated: set `storage.directory`. File that keeps the day's count and, with v3, resolved campaign ids across restarts",
    ),
  })
  .prefault({});
