/**
 * The rows of a comparison: what two campaigns are, their counts with rates, and the differences.
 */
import type { CampaignDetails, Summary } from '../../client/client.ts';
import { dateOf, statusBadge } from './campaign-row.ts';
import { type Base, countIn, type Measure, measures, rateIn } from './measures.ts';
import { make, within } from './page.ts';
import { timeElement, zoneElement } from './times.ts';
import { number, percentInWords, readable, signed, unknown } from './words.ts';

/** A campaign as far as it is known. */
export interface Compared {
  readonly details: CampaignDetails | undefined;
  /** Undefined also for one that has no counts. */
  readonly summary: Summary | undefined;
}

export const comparison = (first: Compared, second: Compared): readonly HTMLElement[] => [
  ...facts().map(({ label, of }) => row(label, [of(first), of(second), ''])),
  ...measures.flatMap((measure) => [
    counts(measure, first.summary, second.summary),
    ...measure.bases.map((base) => rates(measure, base, first.summary, second.summary)),
  ]),
];

type Content = readonly (string | Node)[];

interface Fact {
  readonly label: Content;
  readonly of: (campaign: Compared) => string | Node;
}

/** New ones for every table: their labels are elements. */
const facts = (): readonly Fact[] => [
  { label: ['Status'], of: ({ details }) => (details ? statusBadge(details.status) : unknown) },
  { label: ['Subject'], of: ({ details }) => readable(details?.subject ?? '') || unknown },
  {
    label: ['Last sent or changed (', zoneElement(), ')'],
    of: ({ details }) => (details ? timeElement(dateOf(details), 'minute') : unknown),
  },
  {
    label: ['Counts as of (', zoneElement(), ')'],
    of: ({ summary }) => (summary ? timeElement(summary.as_of, 'minute') : unknown),
  },
];

function row(label: Content, cells: Content): HTMLElement {
  const heading = make('th', '', ...label);
  heading.scope = 'row';
  return make('tr', '', heading, ...cells.map((content) => make('td', '', content)));
}

function counts(measure: Measure, first: Summary | undefined, second: Summary | undefined): HTMLElement {
  return numbers(measure.label, [countIn(first, measure), countIn(second, measure)], number, (difference) =>
    signed(difference, 0),
  );
}

/** A row that belongs to the one of the count above it. */
function rates(measure: Measure, base: Base, first: Summary | undefined, second: Summary | undefined): HTMLElement {
  const both = [rateIn(first, measure, base), rateIn(second, measure, base)] as const;
  // Percentage points; the page explains the word.
  const element = numbers(base.words, both, percentInWords, (points) => `${signed(points, 1)} points`);
  element.className = 'rate';
  within(element, 'th').ariaLabel = `${measure.label} ${base.words}`;
  return element;
}

function numbers(
  label: string,
  [first, second]: readonly [number | undefined, number | undefined],
  format: (value: number) => string,
  formatDifference: (value: number) => string,
): HTMLElement {
  const inWords = (value: number | undefined) => (value === undefined ? unknown : format(value));
  const isKnown = first !== undefined && second !== undefined;
  return row([label], [inWords(first), inWords(second), isKnown ? formatDifference(first - second) : unknown]);
}
