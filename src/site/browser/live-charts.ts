/**
 * The charts of the live view: the last ten minutes, out of what was polled.
 */
import type { Status } from '../../client/client.ts';
import { chart, maxLines } from './charts.ts';
import { pagesOf, teamsOf } from './live-teams.ts';
import { part, say } from './page.ts';
import { number } from './words.ts';

/** Ten minutes, at a poll every two seconds. */
const maxPoints = 300;

const rates = chart(part('rate-chart'));
const ratios = chart(part('ratio-chart'), { max: 100 });
const shares = chart(part('shares-chart'));
const waits = chart(part('waits-chart'));
const times: number[] = [];
const callsPerSecond: (number | null)[] = [];
const hitPercent: (number | null)[] = [];
/** By team. */
const callsOf = new Map<string, (number | null)[]>();
const waitsOf = new Map<string, (number | null)[]>();

/** Rates are of the last five polls: those of one would be spikes. */
const maxRecent = 5;
const recent: { readonly status: Status; readonly at: number }[] = [];

/** Adds what happened in the last ten seconds. */
export function addToCharts(status: Status): void {
  const at = performance.now() / 1000;
  const [oldest] = recent;
  recent.push({ status, at });
  if (recent.length > maxRecent) recent.shift();
  if (!oldest) return;
  const seconds = at - oldest.at;
  const { upstream } = status;
  const calls = Math.max(0, upstream.callsToday - oldest.status.upstream.callsToday) / seconds;
  const [pages, earlier] = [pagesOf(status), pagesOf(oldest.status)];
  const asked = pages.all - earlier.all;
  say('rate', `${calls.toFixed(1)} of ${number(upstream.perSecond)}`);
  push(times, Date.now() / 1000);
  push(callsPerSecond, calls);
  push(hitPercent, asked > 0 ? (100 * (pages.hits - earlier.hits)) / asked : null);
  rates.show(times, [{ name: 'calls', values: callsPerSecond }]);
  ratios.show(times, [{ name: 'hits', values: hitPercent }]);
  addTeams(status, oldest.status, seconds);
}

function addTeams(status: Status, earlier: Status, seconds: number): void {
  const teams = teamsOf(status);
  for (const { team, calls, waitP95 } of teams) {
    const callsBefore = teamsOf(earlier).find((one) => one.team === team)?.calls ?? 0;
    for (const [series, value] of [
      [callsOf, Math.max(0, calls - callsBefore) / seconds],
      [waitsOf, waitP95],
    ] as const) {
      if (!series.has(team)) series.set(team, Array(times.length - 1).fill(null));
      push(series.get(team) ?? [], value);
    }
  }
  const busiest = [...teams].sort((a, b) => b.calls - a.calls).slice(0, maxLines);
  const names = busiest.map(({ team }) => team).sort();
  for (const [plot, series] of [
    [shares, callsOf],
    [waits, waitsOf],
  ] as const) {
    plot.show(
      times,
      names.map((name) => ({ name, values: series.get(name) ?? [] })),
    );
  }
}

function push<T>(values: T[], value: T): void {
  values.push(value);
  if (values.length > maxPoints) values.shift();
}
