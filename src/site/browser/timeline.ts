/**
 * The chart of a report over time: rows by hour or, over a longer time, by day.
 */
import { chart } from './charts.ts';
import { part, say } from './page.ts';
import { allOf, dateInWords, number } from './words.ts';

const hourSeconds = 3_600;
const daySeconds = 24 * hourSeconds;
/** Longest time that is shown by hour. */
const maxHours = 72;
/** Most buckets with empty ones filled in: one odd date can be centuries away. */
const maxFilled = 1_500;

const plot = chart(part('timeline-chart'));

export interface Bucket {
  readonly startSeconds: number;
  readonly count: number;
}

/** Counts rows by hour, so that nothing has to be kept of a row. */
export class Timeline {
  readonly #byHour = new Map<number, number>();
  #rows = 0;

  /** @param date empty: the row is not in the chart */
  add(date: string): void {
    const hour = Math.floor(Date.parse(date) / 1000 / hourSeconds);
    this.#rows++;
    if (!Number.isNaN(hour)) this.#byHour.set(hour, (this.#byHour.get(hour) ?? 0) + 1);
  }

  /** @param noun plural: `opens` */
  show(noun: string, isWhole: boolean): void {
    const hours = [...this.#byHour.keys()];
    part('timeline').hidden = hours.length === 0;
    if (hours.length === 0) return;
    const isByDay = hours.reduce((a, b) => Math.max(a, b)) - hours.reduce((a, b) => Math.min(a, b)) > maxHours;
    const buckets = isByDay ? this.#buckets(daySeconds) : this.#buckets(hourSeconds);
    const busiest = buckets.reduce((most, bucket) => (bucket.count > most.count ? bucket : most));
    const at = dateInWords(new Date(busiest.startSeconds * 1000).toISOString()).slice(0, isByDay ? 10 : 16);
    const of = isWhole ? allOf(this.#rows, noun) : `The newest ${number(this.#rows)} ${noun}`;
    say('timeline-caption', `${of} by ${isByDay ? 'day' : 'hour'} (UTC). Most at ${at}: ${number(busiest.count)}.`);
    plot.show(
      buckets.map(({ startSeconds }) => startSeconds),
      [{ name: noun, values: buckets.map(({ count }) => count) }],
      isByDay ? 'days' : 'hours',
    );
  }

  #buckets(seconds: number): readonly Bucket[] {
    const counts = new Map<number, number>();
    for (const [hour, count] of this.#byHour) {
      const start = Math.floor((hour * hourSeconds) / seconds) * seconds;
      counts.set(start, (counts.get(start) ?? 0) + count);
    }
    const starts = [...counts.keys()].sort((a, b) => a - b);
    const [from = 0, to = 0] = [starts[0], starts.at(-1)];
    const length = (to - from) / seconds + 1;
    const all = length > maxFilled ? starts : Array.from({ length }, (_, index) => from + index * seconds);
    return all.map((startSeconds) => ({ startSeconds, count: counts.get(startSeconds) ?? 0 }));
  }
}
