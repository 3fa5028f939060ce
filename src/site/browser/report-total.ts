/**
 * How many rows a report has, and how many of them are shown, in words.
 */
import type { Link, Summary } from '../../client/client.ts';
import type { ReportWalk } from './report-walk.ts';
import { number } from './words.ts';

/** What is known of the counts of a campaign. */
export interface KnownCounts {
  readonly summary: Summary | undefined;
  /** Counts of opens and clicks, with v3, are of different contacts: not of rows. */
  readonly areOfContacts: boolean;
  /** The link whose clicks are shown. */
  readonly link: Link | undefined;
}

/** Returns the number of rows in all; undefined if unknown, or if the report has outgrown it. */
export function expectedRows({ route, received, isAll }: ReportWalk, counts: KnownCounts): number | undefined {
  if (isAll) return received;
  const { tab, since, link } = route;
  if (since !== '' || (counts.areOfContacts && (tab === 'opens' || tab === 'clicks'))) return undefined;
  const total = link === '' ? counts.summary?.[tab] : counts.link?.clicks;
  return typeof total === 'number' && total >= received ? total : undefined;
}

/** @param total undefined if unknown */
export function totalInWords(walk: ReportWalk, total: number | undefined): string {
  const { route, received, rows, isAll } = walk;
  const what = `${route.tab}${route.link === '' ? '' : ' on this link'}${route.since === '' ? '' : ` since ${route.since}`}`;
  if (isAll && received === 0) return `No ${what}.`;
  if (received > rows.length) {
    return `The newest ${number(rows.length)} of ${number(total ?? received)} ${what}: export the report for all.`;
  }
  if (isAll) return `All ${number(received)} ${what}.`;
  return total === undefined
    ? `The newest ${number(received)} ${what}.`
    : `${number(received)} of ${number(total)} ${what}.`;
}
