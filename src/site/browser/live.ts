/**
 * The live view: polls `/status` every two seconds while it is shown.
 */
import type { Status } from '../../client/client.ts';
import { chart, maxLines } from './charts.ts';
import { part, row, say } from './page.ts';
import { Region, single } from './region.ts';
import { connect } from './session.ts';
import { inWords, number, percent } from './words.ts';

const everyMs = 2_000;
/** Long enough to read the problem. */
const afterFailureMs = 15_000;
/** Ten minutes. */
const maxPoints = 300;
const region = new Region(part('live-view'));

const rates = chart(part('rate-chart'));
const ratios = chart(part('ratio-chart'), 100);
const shares = chart(part('shares-chart'));
const waits = chart(part('waits-chart'));
const times: number[] = [];
const callsPerSecond: (number | null)[] = [];
const hitPercent: (number | null)[] = [];
/** By team. */
const callsOf = new Map<string, (number | null)[]>();
const waitsOf = new Map<string, (number | null)[]>();
let last: { readonly at: number; readonly status: Status } | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

export function watch(isWanted: boolean): void {
  clearTimeout(timer);
  if (isWanted) void look();
  else region.stop();
}

async function look(): Promise<void> {
  clearTimeout(timer);
  const outcome = await region.ask({
    what: last ? undefined : 'Loading figures',
    load: (signal) => single(connect().status({ signal })),
    show,
    again: () => void look(),
  });
  if (outcome === 'aborted') return;
  timer = setTimeout(() => void look(), outcome === 'done' ? everyMs : afterFailureMs);
}

function show(status: Status): void {
  const now = Date.now() / 1000;
  const { upstream } = status;
  const before = last;
  const at = performance.now() / 1000;
  last = { at, status };
  say('spent', number(upstream.callsToday));
  say('left', number(upstream.leftToday));
  say('returns', inWords(Math.max(0, Date.parse(upstream.dayEndsAt) / 1000 - now)));
  say('upstream', stateOf(upstream));
  const budget = part<HTMLProgressElement>('budget');
  budget.max = Math.max(1, upstream.callsToday + upstream.leftToday);
  budget.value = upstream.callsToday;

  const pages = pagesOf(status);
  say('ratio', percent(pages.hits, pages.all));
  showTeams(status);
  if (!before) return;
  const seconds = at - before.at;
  const calls = Math.max(0, upstream.callsToday - before.status.upstream.callsToday) / seconds;
  const earlier = pagesOf(before.status);
  const asked = pages.all - earlier.all;
  say('rate', `${calls.toFixed(1)} of ${number(upstream.perSecond)}`);
  push(times, now);
  push(callsPerSecond, calls);
  push(hitPercent, asked > 0 ? (100 * (pages.hits - earlier.hits)) / asked : null);
  rates.show(times, [{ name: 'calls', values: callsPerSecond }]);
  ratios.show(times, [{ name: 'hits', values: hitPercent }]);

  const teams = teamsOf(status);
  for (const { team, calls, waitP95 } of teams) {
    const earlier = teamsOf(before.status).find((one) => one.team === team)?.calls ?? 0;
    for (const [series, value] of [
      [callsOf, Math.max(0, calls - earlier) / seconds],
      [waitsOf, waitP95],
    ] as const) {
      if (!series.has(team)) series.set(team, Array(times.length - 1).fill(null));
      push(series.get(team) ?? [], value);
    }
  }
  const busiest = [...teams].sort((a, b) => b.calls - a.calls).slice(0, maxLines);
  const names = busiest.map(({ team }) => team).sort();
  shares.show(
    times,
    names.map((name) => ({ name, values: callsOf.get(name) ?? [] })),
  );
  waits.show(
    times,
    names.map((name) => ({ name, values: waitsOf.get(name) ?? [] })),
  );
}

interface TeamStatus {
  readonly team: string;
  readonly calls: number;
  readonly waiting: number;
  /** Seconds, of interactive requests. */
  readonly waitP50: number;
  readonly waitP95: number;
}

function teamsOf({ queues }: Status): TeamStatus[] {
  return [...new Set(queues.map(({ team }) => team))].map((team) => {
    const own = queues.filter((queue) => queue.team === team);
    const callers = own.find(({ urgency }) => urgency === 'interactive');
    return {
      team,
      calls: sum(own.map(({ calls }) => calls)),
      waiting: sum(own.map(({ waiting }) => waiting)),
      waitP50: callers?.waitP50 ?? 0,
      waitP95: callers?.waitP95 ?? 0,
    };
  });
}

function push<T>(values: T[], value: T): void {
  values.push(value);
  if (values.length > maxPoints) values.shift();
}

function stateOf({ api, circuit, credentials, quota }: Status['upstream']): string {
  if (api === 'gone') return 'has withdrawn its API';
  if (credentials === 'refused') return 'refuses our credentials';
  if (quota === 'exhausted') return 'daily quota spent';
  return circuit === 'open' ? 'is down' : 'answers';
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Pages served, and how many of them cost no call. */
function pagesOf({ served }: Status, team?: string) {
  const outcomes = team === undefined ? Object.values(served) : [served[team] ?? {}];
  const all = sum(outcomes.flatMap((counts) => Object.values(counts)));
  const called = sum(outcomes.map(({ miss = 0, collapsed = 0 }) => miss + collapsed));
  return { all, hits: all - called };
}

function showTeams(status: Status): void {
  const teams = teamsOf(status);
  const allCalls = sum(status.teams.map(({ calls }) => calls));
  const rows = status.teams.map(({ team, calls, part, borrowed, available }) => {
    const { waiting = 0, waitP50 = 0, waitP95 = 0 } = teams.find((one) => one.team === team) ?? {};
    const pages = pagesOf(status, team);
    const share = document.createElement('meter');
    share.max = 1;
    share.value = allCalls === 0 ? 0 : calls / allCalls;
    share.setAttribute('aria-label', `${percent(calls, allCalls)} of the calls`);
    const counts = [pages.all, calls, part, borrowed, available].map(number);
    const [all = '', ...day] = counts;
    const cells = [team, all, percent(pages.hits, pages.all), ...day, share, number(waiting)];
    return row([...cells, `${waitP50.toFixed(2)} s`, `${waitP95.toFixed(2)} s`], [1, 2, 3, 4, 5, 6, 8, 9, 10]);
  });
  part('teams').replaceChildren(...rows);
}
