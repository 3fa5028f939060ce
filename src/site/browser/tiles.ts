/**
 * The counts of a campaign, with rates.
 */
import type { Summary } from '../../client/client.ts';
import { make, part } from './page.ts';
import { timeElement, zoneElement } from './times.ts';
import { number, percent, unknown } from './words.ts';

interface Tile {
  readonly label: string;
  readonly count: keyof Omit<Summary, 'campaign_id' | 'as_of'>;
  /** What the count is a part of, in words by count. */
  readonly of: Readonly<Partial<Record<'sends' | 'opens', string>>>;
}

const ofSent = { sends: 'of sent' };

const tiles: readonly Tile[] = [
  { label: 'Sent', count: 'sends', of: {} },
  { label: 'Opened', count: 'opens', of: ofSent },
  { label: 'Clicked', count: 'clicks', of: { ...ofSent, opens: 'of opened' } },
  { label: 'Forwarded', count: 'forwards', of: ofSent },
  { label: 'Bounced', count: 'bounces', of: ofSent },
  { label: 'Unsubscribed', count: 'unsubscribes', of: ofSent },
];

/** @param summary undefined while it is not known */
export function showTiles(summary: Summary | undefined): void {
  part('tiles').replaceChildren(...tiles.map((tile) => element(tile, summary)));
  part('as-of').replaceChildren(...(summary ? ageInWords(summary) : []));
}

function ageInWords({ spam_count: spam, as_of }: Summary): readonly (string | Node)[] {
  const reports = spam === null ? '' : ` ${number(spam)} spam ${spam === 1 ? 'report' : 'reports'}.`;
  const rest = `. Opened and Clicked count each contact once.${reports}`;
  return ['Counts as of ', timeElement(as_of, 'minute'), ' ', zoneElement(), rest];
}

function element({ label, count, of }: Tile, summary: Summary | undefined): HTMLElement {
  const value = summary?.[count] ?? undefined;
  const rates = Object.entries(of).flatMap(([base, words]) => {
    const whole = summary?.[base as 'sends' | 'opens'];
    return value === undefined || !whole ? [] : [`${percent(value, whole)} ${words}`];
  });
  const bar = make('span', 'bar');
  bar.style.width = `${share(value, summary?.sends)}%`;
  return make(
    'div',
    'tile',
    make('dt', '', label),
    make(
      'dd',
      '',
      value === undefined ? unknown : number(value),
      make('span', 'track', bar),
      ...rates.map((rate) => make('small', '', rate)),
    ),
  );
}

const share = (value: number | undefined, whole: number | null | undefined) =>
  value === undefined || !whole ? 0 : Math.min(100, (100 * value) / whole);
