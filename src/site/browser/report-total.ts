/**
 * How many rows a report has, and how many of them are shown, in words.
 */
import type { Summary } from '../../client/client.ts';
import type { ReportWalk } from './report-walk.ts';
import type { ReportName } from './reports.ts';
import { startOfDay, timeInWords } from './times.ts';
import { allOf, number } from './words.ts';

/** Counts of opens and clicks are of contacts, not of rows. */
const countedByRows: ReadonlySet<ReportName> = new Set(['sends', 'bounces', 'forwards', 'unsubscribes']);

/**
 * Returns the number of rows in all; undefined if unknown, or if the report has outgrown it.
 *
 * @param summary undefined while it is not known
 */
export function expectedRows(walk: ReportWalk, summary: Summary | undefined): number | undefined {
  const { route, received, isAll } = walk;
  if (isAll) return received;
  if (route.since !== '' || !countedByRows.has(route.tab)) return undefined;
  const total = (summary as Readonly<Record<string, unknown>> | undefined)?.[route.tab];
  return typeof total === 'number' && total >= received ? total : undefined;
}

/** @param total undefined if unknown */
export function totalInWords(walk: ReportWalk, total: number | undefined): string {
  const { route, received, rows, isAll } = walk;
  const which = `${route.link === '' ? '' : ' on this link'}${route.since === '' ? '' : ` since ${sinceInWords(route.since)}`}`;
  const what = `${route.tab}${which}`;
  if (isAll && received === 0) return `No ${what}.`;
  if (received > rows.length) {
    return `The newest ${number(rows.length)} of ${number(total ?? received)} ${what}: export the report for all.`;
  }
  if (isAll) return `${allOf(received, route.tab)}${which}.`;
  return total === undefined
    ? `The newest ${number(received)} ${what}.`
    : `${number(received)} of ${number(total)} ${what}.`;
}

/** A day; where it begins elsewhere in the chosen zone, an instant. */
function sinceInWords(since: string): string {
  const at = Date.parse(since);
  return Number.isNaN(at) ? since : timeInWords(since, startOfDay(at) === at ? 'day' : 'minute');
}

/** @param found rows that a search found; undefined: there is no search */
export function foundInWords({ rows, isAll, isFull }: ReportWalk, found: number | undefined): string {
  if (found === undefined) return '';
  const all = `${number(rows.length)} loaded ${rows.length === 1 ? 'row' : 'rows'}`;
  const says = found === 0 ? `None of ${all} has all of these words.` : `${number(found)} of ${all}.`;
  if (isAll && !isFull) return says;
  return `${says} ${isFull ? 'Export the report to search the others.' : 'Load more to search further.'}`;
}
