/**
 * The live view: polls `/status` every two seconds while it is shown.
 */
import type { Status } from '../../client/client.ts';
import { forecast } from './forecast.ts';
import { addToCharts } from './live-charts.ts';
import { showStale, showState } from './live-state.ts';
import { pagesOf, showTeams } from './live-teams.ts';
import { part, say } from './page.ts';
import { Region, single } from './region.ts';
import { connect } from './session.ts';
import { inWords, number, percent } from './words.ts';

const everyMs = 2_000;
/** Long enough to read the problem. */
const afterFailureMs = 15_000;
const region = new Region(part('live-view'));
const pause = part<HTMLButtonElement>('pause');

let timer: ReturnType<typeof setTimeout> | undefined;
let isWatching = false;
let isPaused = false;
/** When the figures that are shown arrived. */
let asOf: string | undefined;

export function watch(isWanted: boolean): void {
  isWatching = isWanted;
  clearTimeout(timer);
  if (isWanted) void look();
  else region.stop();
}

// What changes by itself can be stopped (WCAG 2.2.2).
pause.addEventListener('click', () => {
  isPaused = !isPaused;
  pause.textContent = isPaused ? 'Resume' : 'Pause';
  watch(isWatching);
});

/** @param isAsked by a person, who is told that figures load; a poll says nothing new */
async function look(isAsked = false): Promise<void> {
  clearTimeout(timer);
  if (isPaused && asOf) return;
  const outcome = await region.ask({
    what: isAsked || !(asOf || region.hasFailed) ? 'Loading figures' : undefined,
    load: (signal) => single(connect().status({ signal })),
    show,
    again: () => void look(true),
  });
  if (outcome === 'aborted') return;
  if (outcome === 'failed' && asOf) showStale(asOf, Date.now());
  // Another poll would take the field away while a token is typed.
  if (region.asksForToken) return;
  timer = setTimeout(() => void look(), outcome === 'done' ? everyMs : afterFailureMs);
}

function show(status: Status): void {
  const now = Date.now();
  const { upstream } = status;
  asOf = new Date(now).toISOString();
  part('live-figures').hidden = false;
  showState(upstream, now);
  say('spent', number(upstream.callsToday));
  say('left', number(upstream.leftToday));
  say('returns', inWords(Math.max(0, Date.parse(upstream.dayEndsAt) - now) / 1000));
  const pages = pagesOf(status);
  say('ratio', percent(pages.hits, pages.all));
  const budget = part<HTMLProgressElement>('budget');
  budget.max = Math.max(1, upstream.callsToday + upstream.leftToday);
  budget.value = upstream.callsToday;
  say('forecast', forecast(upstream, now));
  showTeams(status);
  addToCharts(status);
}
