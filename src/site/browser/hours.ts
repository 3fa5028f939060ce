/**
 * The chart of sends by hour.
 */
import type { Send } from '../../client/client.ts';
import { chart } from './charts.ts';
import { part, say } from './page.ts';
import { number } from './words.ts';

const hourMs = 3_600_000;
const plot = chart(part('hours-chart'), 'bars');

/** Charts the number of sends in each hour. Leaves out sends without a date. */
export function showHours(sends: readonly Send[]): void {
  const counts = new Map<number, number>();
  for (const { send_date } of sends) {
    const hour = Math.floor(Date.parse(send_date) / hourMs);
    if (!Number.isNaN(hour)) counts.set(hour, (counts.get(hour) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a], [b]) => a - b);
  const [busiest] = [...counts].sort(([, a], [, b]) => b - a);
  say('hours', busiest ? caption(sorted.length, busiest) : sends.length === 0 ? 'No sends.' : 'No sends with a date.');
  plot.show(
    sorted.map(([hour]) => hour * 3_600),
    [{ name: 'sends', values: sorted.map(([, count]) => count) }],
  );
}

function caption(hours: number, [hour, count]: readonly [number, number]): string {
  const at = new Date(hour * hourMs).toISOString().slice(0, 16).replace('T', ' ');
  return `Sends by hour, of those shown: ${hours} hour${hours === 1 ? '' : 's'}, most at ${at} UTC (${number(count)})`;
}
