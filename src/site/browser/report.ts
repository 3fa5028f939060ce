/**
 * The tab of a report: its rows as they are scrolled, a chart, exports, and the request to copy.
 */
import type { Summary } from '../../client/client.ts';
import { commandIn } from './command.ts';
import { exportButtons } from './export.ts';
import { addressOfClicks, linkOf, onLinks } from './links.ts';
import { outcome } from './outcome.ts';
import { part, say } from './page.ts';
import { first, Region } from './region.ts';
import { reportTable } from './report-rows.ts';
import { expectedRows, foundInWords, totalInWords } from './report-total.ts';
import { type ReportPage, type ReportRoute, ReportWalk } from './report-walk.ts';
import { addressOf } from './routes.ts';
import { baseUrl } from './session.ts';
import { chosenDay, onZoneChange, startOfChosenDay } from './times.ts';
import { number } from './words.ts';

/** How long a page of the whole report is retried: a long walk meets the limits. */
const patienceSeconds = 120;

const region = new Region(part('report-panel'));
const since = part<HTMLInputElement>('since');
const query = part<HTMLInputElement>('rows-query');
const more = part<HTMLButtonElement>('more');
const whole = part<HTMLButtonElement>('whole');
const progress = part<HTMLProgressElement>('walk-progress');
const showCommand = commandIn(part('report-command'));

let walk: ReportWalk | undefined;
let summary: Summary | undefined;

const table = reportTable(() => {
  if (walk?.hasBegun && !walk.isAll && !walk.isFull && !region.isBusy && !region.hasFailed) loadNext();
});

export const hasRows = () => (walk?.received ?? 0) > 0;

/** Shows a report from its first page. */
export function showReport(route: ReportRoute): void {
  leaveReport();
  walk = new ReportWalk(route);
  since.value = chosenDay(route.since);
  part('since-all').hidden = route.since === '';
  showLink();
  const search = new URLSearchParams(walk.query);
  showCommand(`${baseUrl}${walk.path}${search.size === 0 ? '' : `?${search}`}`);
  loadNext();
}

/** The search stays from one report to the next, as for a contact's address; another campaign has another. */
export function clearSearch(): void {
  query.value = '';
  table.search('');
}

export function leaveReport(): void {
  region.stop();
  walk = undefined;
  part('walk').hidden = true;
  part('report-answer').hidden = true;
}

/** @param known undefined while it is not known */
export function showTotals(known: Summary | undefined): void {
  summary = known;
  showState();
}

function loadNext(): void {
  const shown = walk;
  if (!shown) return;
  const load = (signal: AbortSignal) => first(1, shown.pages(signal, 0));
  part('walk').hidden = true;
  void region.ask({ what: `Loading ${shown.route.tab}`, load, show: add, again: loadNext }).then(showState);
}

function loadWhole(): void {
  const shown = walk;
  if (!shown) return;
  const load = (signal: AbortSignal) => shown.pages(signal, patienceSeconds);
  const asking = region.ask({ what: `Loading all ${shown.route.tab}`, load, show: add, again: loadWhole });
  part('walk').hidden = false;
  showState();
  part('walk-cancel').focus();
  void asking.then((end) => {
    if (end !== 'aborted') endWhole();
  });
}

function endWhole(): void {
  const hadFocus = part('walk').contains(document.activeElement);
  part('walk').hidden = true;
  showState();
  if (hadFocus) (whole.hidden ? part('scroll') : whole).focus({ preventScroll: true });
}

function add(page: ReportPage): void {
  if (!walk) return;
  walk.add(page);
  part('outcome').replaceChildren(...outcome(page, Date.now()));
  // Rows are worth showing whatever becomes of the campaign's details. A hidden table cannot be scrolled to its first row.
  if (walk.received > 0) part('campaign-body').hidden = false;
  part('report-answer').hidden = false;
  table.show(walk.rows);
  showState();
}

function showState(): void {
  if (!walk?.hasBegun) return;
  const { isAll, isFull, received, route } = walk;
  const total = expectedRows(walk, summary);
  const isWalking = !part('walk').hidden;
  // Read out as it changes: once, not for every page of a walk.
  if (!isWalking) say('total', totalInWords(walk, total));
  part('rows-search').hidden = received === 0;
  if (!isWalking) say('rows-found', foundInWords(walk, table.found));
  walk.timeline.show(route.tab, isAll);
  // Not hidden while a page loads: they would lose the focus.
  more.hidden = isAll || isFull || isWalking;
  whole.hidden = isAll || isWalking;
  say('walk-text', `${number(received)}${total === undefined ? '' : ` of ${number(total)}`}`);
  progress.max = Math.max(1, total ?? 1);
  if (total === undefined) progress.removeAttribute('value');
  else progress.value = received;
}

/** Names the link whose clicks are shown, and leads back to all. */
function showLink(): void {
  const { link = '', id = '' } = walk?.route ?? {};
  part('link').hidden = link === '';
  say('link-url', linkOf(link)?.url ?? link);
  part<HTMLAnchorElement>('link-all').href = addressOfClicks(id, '');
}

function showSince(date: string): void {
  if (walk) location.hash = addressOf({ ...walk.route, since: startOfChosenDay(date) });
}

onLinks(() => {
  showLink();
  table.refresh();
  showState();
});
onZoneChange(() => {
  since.value = chosenDay(walk?.route.since ?? '');
  showState();
});
query.addEventListener('input', () => {
  table.search(query.value);
  showState();
});
part('since-form').addEventListener('submit', (event) => {
  event.preventDefault();
  showSince(since.value);
});
part('since-all').addEventListener('click', () => {
  since.focus();
  showSince('');
});
more.addEventListener('click', loadNext);
whole.addEventListener('click', loadWhole);
part('walk-cancel').addEventListener('click', () => {
  region.stop();
  endWhole();
});
exportButtons(part('report-exports'), () => {
  if (!walk) throw new Error('no report is shown');
  const { path, query, route } = walk;
  return { path, query, noun: route.tab, total: expectedRows(walk, summary) };
});
