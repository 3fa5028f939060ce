/**
 * How many rows a report has, and how many of them are shown, in words.
 */
import type { Summary } from '../../client/client.ts';
import type { ReportWalk } from './report-walk.ts';
import type { ReportName } from './reports.ts';
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
  const which = `${route.link === '' ? '' : ' on this link'}${route.since === '' ? '' : ` since ${route.since}`}`;
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
