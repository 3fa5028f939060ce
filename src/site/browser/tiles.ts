/**
 * The counts of a campaign, with rates.
 */
import type { Summary } from '../../client/client.ts';
import { countIn, type Measure, measures, rateIn } from './measures.ts';
import { make, part } from './page.ts';
import { timeElement, zoneElement } from './times.ts';
import { number, percentInWords, unknown } from './words.ts';

/** @param summary undefined while it is not known */
export function showTiles(summary: Summary | undefined): void {
  part('tiles').replaceChildren(...measures.map((measure) => element(measure, summary)));
  part('as-of').replaceChildren(...(summary ? ageInWords(summary) : []));
}

function ageInWords({ spam_count: spam, as_of }: Summary): readonly (string | Node)[] {
  const reports = spam === null ? '' : ` ${number(spam)} spam ${spam === 1 ? 'report' : 'reports'}.`;
  const rest = `. Opened and Clicked count each contact once.${reports}`;
  return ['Counts as of ', timeElement(as_of, 'minute'), ' ', zoneElement(), rest];
}

function element(measure: Measure, summary: Summary | undefined): HTMLElement {
  const value = countIn(summary, measure);
  const rates = measure.bases.flatMap((base) => {
    const rate = rateIn(summary, measure, base);
    return rate === undefined ? [] : [make('small', '', `${percentInWords(rate)} ${base.words}`)];
  });
  const bar = make('span', 'bar');
  bar.style.width = `${share(value, summary?.sends)}%`;
  const count = value === undefined ? unknown : number(value);
  return make(
    'div',
    'tile',
    make('dt', '', measure.label),
    make('dd', '', count, make('span', 'track', bar), ...rates),
  );
}

const share = (value: number | undefined, whole: number | null | undefined) =>
  value === undefined || !whole ? 0 : Math.min(100, (100 * value) / whole);
