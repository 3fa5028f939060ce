/**
 * The chart of a report over time: rows by hour or, over a longer time, by day.
 */
import { chart } from './charts.ts';
import { part, say } from './page.ts';
import { startOfDay, startOfHour, timeInWords, zoneInWords } from './times.ts';
import { allOf, number } from './words.ts';

/** All zones are whole quarters of an hour from UTC: hours and days of each can be counted from quarters. */
const quarterMs = 900_000;
const hourMs = 3_600_000;
/** Longest time that is shown by hour. */
const maxHours = 72;
/** Most buckets with empty ones filled in: one odd date can be centuries away. */
const maxFilled = 1_500;

interface Bucket {
  readonly startMs: number;
  readonly count: number;
}

type Unit = 'hour' | 'day';
const starts = { hour: startOfHour, day: startOfDay } as const;
/** Days have 23 to 25 hours: half a day on is within the next. */
const steps = { hour: hourMs, day: 36 * hourMs } as const;

/** What the chart shows, for the words on the bar under the pointer. */
let shown: { readonly buckets: readonly Bucket[]; readonly unit: Unit } = { buckets: [], unit: 'day' };

const plot = chart(part('timeline-chart'), {
  onPoint: (index) => {
    const bucket = shown.buckets[index ?? -1];
    say('timeline-point', bucket ? inWords(bucket, shown.unit) : '');
  },
});

/** `31 Jan 2026, 14:00: 1,234` */
const inWords = ({ startMs, count }: Bucket, unit: Unit) =>
  `${timeInWords(new Date(startMs).toISOString(), unit === 'day' ? 'day' : 'minute')}: ${number(count)}`;

/** Counts rows by time, so that nothing has to be kept of a row. */
export class Timeline {
  readonly #byQuarter = new Map<number, number>();
  #rows = 0;

  /** @param date empty: the row is not in the chart */
  add(date: string): void {
    const quarter = Math.floor(Date.parse(date) / quarterMs);
    this.#rows++;
    if (!Number.isNaN(quarter)) this.#byQuarter.set(quarter, (this.#byQuarter.get(quarter) ?? 0) + 1);
  }

  /** @param noun plural: `opens` */
  show(noun: string, isWhole: boolean): void {
    const quarters = [...this.#byQuarter.keys()].sort((a, b) => a - b);
    const [first, last] = [quarters[0], quarters.at(-1)];
    part('timeline').hidden = first === undefined;
    if (first === undefined || last === undefined) return;
    const unit = (last - first) * quarterMs > maxHours * hourMs ? 'day' : 'hour';
    const buckets = this.#buckets(quarters, unit);
    const busiest = buckets.reduce((most, bucket) => (bucket.count > most.count ? bucket : most));
    shown = { buckets, unit };
    const of = isWhole ? allOf(this.#rows, noun) : `The newest ${number(this.#rows)} ${noun}`;
    const most = `Most ${unit === 'day' ? 'on' : 'at'} ${inWords(busiest, unit)}.`;
    say('timeline-caption', `${of} by ${unit} (${zoneInWords()}). ${most}`);
    plot.show(
      buckets.map(({ startMs }) => startMs / 1_000),
      [{ name: noun, values: buckets.map(({ count }) => count) }],
      unit === 'day' ? 'days' : 'hours',
    );
  }

  #buckets(quarters: readonly number[], unit: Unit): readonly Bucket[] {
    const startOf = starts[unit];
    const counts = new Map<number, number>();
    for (const quarter of quarters) {
      const start = startOf(quarter * quarterMs);
      counts.set(start, (counts.get(start) ?? 0) + (this.#byQuarter.get(quarter) ?? 0));
    }
    const known = [...counts.keys()];
    for (const start of between(known[0] ?? 0, known.at(-1) ?? 0, unit)) {
      if (!counts.has(start)) counts.set(start, 0);
    }
    return [...counts].map(([startMs, count]) => ({ startMs, count })).sort((a, b) => a.startMs - b.startMs);
  }
}

/** The hours or days between two; none if there are too many. */
function between(from: number, to: number, unit: Unit): readonly number[] {
  const found: number[] = [];
  for (let start = from; start < to; start = starts[unit](start + steps[unit])) {
    if (found.push(start) > maxFilled) return [];
  }
  return found;
}
