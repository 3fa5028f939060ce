/**
 * Counts of what happened to a campaign. They follow from the rows of its reports.
 */
import type { Campaign } from './campaign.ts';
import { type TrackingReport, trackingReports } from './campaign-options.ts';
import { countSince, type Rows } from './rows.ts';

const dayMs = 86_400_000;

/** Writes a count as the campaign's counts are written. */
export const written = ({ options: { textCounts } }: Campaign, count: number) => (textCounts ? String(count) : count);

export const spamCount = ({ size, options: { spam } }: Campaign) => spam ?? size >> 11;

/** Counts the rows; unless `isCurrent`, those at the last scheduled update. */
export function countOf({ options: { newestMs, countedMs } }: Campaign, rows: Rows, isCurrent: boolean): number {
  return isCurrent ? rows.size : rows.size - countSince(rows, countedMs ?? newestMs - (newestMs % dayMs));
}

/** v2's counts. */
export function trackingSummary(campaign: Campaign, isCurrent: boolean) {
  const counts = trackingReports.map((report) => [report, written(campaign, v2Count(campaign, report, isCurrent))]);
  return { ...Object.fromEntries(counts), spam_count: written(campaign, spamCount(campaign)) };
}

function v2Count(campaign: Campaign, report: TrackingReport, isCurrent: boolean): number {
  const rows = countOf(campaign, campaign.report(report), isCurrent);
  if (campaign.options.v2Counts === 'rows') return rows;
  switch (report) {
    case 'opens':
      return countOf(campaign, campaign.uniqueOpens, isCurrent);
    case 'clicks':
      return Math.min(rows, campaign.clickers);
    default:
      return rows;
  }
}

/** v3's counts: of contacts. */
export function uniqueCounts(campaign: Campaign) {
  const { size: sends, openers: opens, clickers: clicks } = campaign;
  const bounces = campaign.report('bounces').size;
  return {
    ...{ sends, opens, clicks },
    forwards: campaign.report('forwards').size,
    optouts: campaign.report('unsubscribes').size,
    abuse: spamCount(campaign),
    bounces,
    not_opened: Math.max(0, sends - opens - bounces),
  };
}
