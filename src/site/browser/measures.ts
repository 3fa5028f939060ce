/**
 * What is counted of a campaign, and what each count is a part of.
 */
import type { Summary } from '../../client/client.ts';

export interface Measure {
  readonly label: string;
  readonly count: keyof Omit<Summary, 'campaign_id' | 'as_of' | 'spam_count'>;
  readonly bases: readonly Base[];
}

export interface Base {
  readonly count: 'sends' | 'opens';
  readonly words: string;
}

const sent: Base = { count: 'sends', words: 'of sent' };
const opened: Base = { count: 'opens', words: 'of opened' };

export const measures: readonly Measure[] = [
  { label: 'Sent', count: 'sends', bases: [] },
  { label: 'Opened', count: 'opens', bases: [sent] },
  { label: 'Clicked', count: 'clicks', bases: [sent, opened] },
  { label: 'Forwarded', count: 'forwards', bases: [sent] },
  { label: 'Bounced', count: 'bounces', bases: [sent] },
  { label: 'Unsubscribed', count: 'unsubscribes', bases: [sent] },
];

/** Returns a count; undefined while it is not known. */
export const countIn = (summary: Summary | undefined, { count }: Pick<Measure, 'count'>) =>
  summary?.[count] ?? undefined;

/** Returns percent, to a tenth; undefined if a count is not known, or nothing was sent or opened. */
export function rateIn(summary: Summary | undefined, measure: Measure, base: Base): number | undefined {
  const [part, whole] = [countIn(summary, measure), countIn(summary, base)];
  return part === undefined || !whole ? undefined : Number(((100 * part) / whole).toFixed(1));
}
