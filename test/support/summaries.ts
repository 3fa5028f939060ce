/**
 * Summaries as callers see them.
 */
import { expect } from '@jest/globals';
import { noCounts } from '../../src/model/campaign.ts';

const asOf = { as_of: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) };
const number = expect.any(Number);

/** One with these sends, and a number of everything else. */
export const summaryOf = (campaign_id: string, sends: number) => ({
  ...{ campaign_id, sends, opens: number, clicks: number, forwards: number, unsubscribes: number },
  ...{ bounces: number, spam_count: number, ...asOf },
});

/** One without a number. */
export const summaryWithoutNumbers = (campaign_id: string) => ({ campaign_id, ...noCounts, ...asOf });
