/**
 * The list of campaigns: the newest 500, more on request; searched, filtered and sorted.
 */
import type { Campaign, ReceivedPage } from '../../client/client.ts';
import { campaignRow } from './campaign-row.ts';
import { commandIn } from './command.ts';
import { Counts } from './counts.ts';
import { exportButtons, labelExports } from './export.ts';
import { campaignsInWords, found, type Loaded } from './found-campaigns.ts';
import { outcome } from './outcome.ts';
import { part, say, within } from './page.ts';
import { Region } from './region.ts';
import { addressOf, addressOfCampaign, type CampaignsRoute, parseRoute, sortOf, statusOf } from './routes.ts';
import { baseUrl, connect } from './session.ts';
import { onZoneChange, rewriteTimes } from './times.ts';
import { readable } from './words.ts';

/** Campaigns loaded at a time, in pages of v2's 50. */
const loadedAtATime = 500;
const pageSize = 50;
/** A list that is older is loaded anew when a person comes back to it. */
const maxAgeMs = 3_600_000;

const query = part<HTMLInputElement>('query');
const status = part<HTMLSelectElement>('status');
const sort = part<HTMLSelectElement>('sort');
const more = part<HTMLButtonElement>('campaigns-more');
const exports = part('campaigns-exports');
const region = new Region(part('campaigns-view'));
const counts = new Counts(part('campaigns-counts'));
const showCommand = commandIn(part('campaigns-command'));

let route: CampaignsRoute = { view: 'campaigns', q: '', status: '', sort: 'newest', compare: '' };
/** By id: a campaign that moves between two pages while they load comes twice. */
let loaded = new Map<string, Loaded>();
/** The status that is loaded, how many campaigns are wanted and since when, the next page, and whether all are loaded. */
let loadedStatus: string | undefined;
let wanted = 0;
let startedAtMs = 0;
let next: string | undefined;
let isComplete = false;

export function showCampaigns(asked: CampaignsRoute, isForced: boolean): void {
  route = asked;
  showChoice();
  if (query.value !== asked.q) query.value = asked.q;
  status.value = asked.status;
  sort.value = asked.sort;
  if (isForced || loadedStatus !== asked.status || Date.now() - startedAtMs > maxAgeMs) forget();
  if (!isComplete && loaded.size < wanted && !region.isBusy && !region.hasFailed) load();
  showRows();
}

/** Says whether a campaign is chosen to be opened, or to be compared. */
function showChoice(): void {
  const { compare } = route;
  const title = compare === '' ? 'Campaigns' : 'Choose a campaign';
  document.title = `${title} · Sendgate`;
  say('campaigns-title', title);
  within(part('by-id'), 'button').textContent = compare === '' ? 'Open' : 'Compare';
  part('choice').hidden = compare === '';
  say('choice-name', readable(loaded.get(compare)?.campaign.name ?? '') || `campaign ${compare}`);
  part<HTMLAnchorElement>('choice-cancel').href = addressOfCampaign(compare);
}

/** Stops what only the list needs. What has arrived stays for the way back. */
export function leaveCampaigns(): void {
  region.stop();
  counts.clear();
}

function forget(): void {
  region.stop();
  counts.clear();
  loaded = new Map();
  loadedStatus = route.status;
  wanted = loadedAtATime;
  startedAtMs = Date.now();
  next = undefined;
  isComplete = false;
}

async function* wantedPages(signal: AbortSignal): AsyncGenerator<ReceivedPage<Campaign>, void, undefined> {
  const filter = route.status === '' ? {} : { status: route.status };
  const from = next === undefined ? {} : { from: next };
  for await (const page of connect().campaignPages({ ...filter, ...from, limit: pageSize, signal })) {
    yield page;
    if (loaded.size >= wanted) return;
  }
}

function load(): void {
  void region
    .ask({
      what: 'Loading campaigns',
      load: wantedPages,
      show: (page) => {
        if (loaded.size === 0) part('campaigns-outcome').replaceChildren(...outcome(page, Date.now()));
        for (const campaign of page.rows) add(campaign);
        next = page.next;
        isComplete = next === undefined;
        showChoice();
        showRows();
      },
      again: load,
    })
    .then(showRows);
}

function add(campaign: Campaign): void {
  if (!loaded.has(campaign.id)) loaded.set(campaign.id, { campaign, row: campaignRow(campaign) });
}

function showRows(): void {
  if (part('campaigns-view').hidden) return;
  const shown = found(loaded.values(), route);
  for (const { row } of shown) row.linkTo(route.compare);
  part('campaigns-rows').replaceChildren(...shown.map(({ row }) => row.element));
  for (const { campaign, row } of shown) {
    if (row.mayHaveCounts) counts.watch(row.element, campaign.id, row.showCounts);
  }
  part('campaigns-answer').hidden = shown.length === 0;
  exports.hidden = shown.length === 0;
  labelExports(exports, allLoaded());
  // Not hidden while it loads more: it would lose the focus.
  more.hidden = isComplete || loaded.size < loadedAtATime;
  say('campaigns-total', campaignsInWords(shown.length, loaded.size, isComplete, route));
  showCommand(`${baseUrl}campaigns${route.status === '' ? '' : `?status=${route.status}`}`);
}

/** How many campaigns have the status, once all are loaded. */
const allLoaded = () => (isComplete ? loaded.size : undefined);

function go(change: Partial<CampaignsRoute>): void {
  location.hash = addressOf({ ...route, ...change });
}

query.addEventListener('input', () => {
  // No entry in the history for every letter.
  history.replaceState(null, '', addressOf({ ...route, q: query.value }));
  const asked = parseRoute(location.hash);
  if (asked.view === 'campaigns') showCampaigns(asked, false);
});
status.addEventListener('change', () => go({ status: statusOf(status.value) }));
sort.addEventListener('change', () => go({ sort: sortOf(sort.value) }));
part('by-id').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = part<HTMLInputElement>('id');
  const id = field.value.trim();
  if (id === '') return;
  // Another time, another campaign is wanted.
  field.value = '';
  const { compare } = route;
  location.hash = compare === '' ? addressOfCampaign(id) : addressOf({ view: 'compare', id: compare, with: id });
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && !part('campaigns-view').hidden) showCampaigns(route, false);
});
onZoneChange(() => {
  // Also of those that a search leaves out.
  for (const { row } of loaded.values()) rewriteTimes(row.element);
});
more.addEventListener('click', () => {
  wanted += loadedAtATime;
  load();
});
exportButtons(exports, () => ({
  path: 'campaigns',
  query: route.status === '' ? {} : { status: route.status },
  noun: 'campaigns',
  total: allLoaded(),
}));
