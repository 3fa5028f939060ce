/**
 * The list of campaigns: the newest 500, more on request; searched, filtered and sorted.
 */
import type { Campaign, ReceivedPage } from '../../client/client.ts';
import { type CampaignRow, campaignRow, dateOf } from './campaign-row.ts';
import { commandIn } from './command.ts';
import { Counts } from './counts.ts';
import { exportButtons } from './export.ts';
import { part, say } from './page.ts';
import { Region } from './region.ts';
import { addressOf, type CampaignsRoute, parseRoute, type Sort, sorts, statusOf } from './routes.ts';
import { baseUrl, connect } from './session.ts';
import { number, statusInWords } from './words.ts';

/** Campaigns loaded at a time, in pages of v2's 50. */
const loadedAtATime = 500;
const pageSize = 50;

const query = part<HTMLInputElement>('query');
const status = part<HTMLSelectElement>('status');
const sort = part<HTMLSelectElement>('sort');
const more = part<HTMLButtonElement>('campaigns-more');
const region = new Region(part('campaigns-view'));
const counts = new Counts(part('campaigns-counts'));
const showCommand = commandIn(part('campaigns-command'));

interface Loaded {
  readonly campaign: Campaign;
  readonly row: CampaignRow;
}

let route: CampaignsRoute = { view: 'campaigns', q: '', status: '', sort: 'newest' };
/** By id: a campaign that moves between two pages while they load comes twice. */
let loaded = new Map<string, Loaded>();
/** The status that is loaded, how many campaigns are wanted, the next page, and whether all are loaded. */
let loadedStatus: string | undefined;
let wanted = 0;
let next: string | undefined;
let isComplete = false;

export function showCampaigns(asked: CampaignsRoute, isForced: boolean): void {
  route = asked;
  document.title = 'Campaigns · Sendgate';
  if (query.value !== asked.q) query.value = asked.q;
  status.value = asked.status;
  sort.value = asked.sort;
  if (isForced || loadedStatus !== asked.status) forget();
  if (!isComplete && loaded.size < wanted && !region.isBusy && !region.hasFailed) load();
  showRows();
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
        for (const campaign of page.rows) add(campaign);
        next = page.next;
        isComplete = next === undefined;
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
  const found = sorted(matching());
  part('campaigns-rows').replaceChildren(...found.map(({ row }) => row.element));
  for (const { campaign, row } of found) {
    if (row.mayHaveCounts) counts.watch(row.element, campaign.id, row.showCounts);
  }
  part('campaigns-answer').hidden = found.length === 0;
  more.hidden = isComplete || region.isBusy || region.hasFailed || loaded.size === 0;
  say('campaigns-total', inWords(found.length));
  showCommand(`${baseUrl}campaigns${route.status === '' ? '' : `?status=${route.status}`}`);
}

function matching(): Loaded[] {
  const words = route.q.toLowerCase().split(/\s+/);
  return [...loaded.values()].filter(({ campaign }) => {
    const name = campaign.name.toLowerCase();
    return words.every((word) => name.includes(word));
  });
}

const orders: Readonly<Record<Sort, (a: Campaign, b: Campaign) => number>> = {
  newest: (a, b) => compare(dateOf(b), dateOf(a)),
  oldest: (a, b) => compare(dateOf(a), dateOf(b)),
  name: (a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }),
};
/** Dates are canonical, so they compare as strings. */
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

const sorted = (found: Loaded[]) => found.sort((a, b) => orders[route.sort](a.campaign, b.campaign));

function inWords(found: number): string {
  const what = route.status === '' ? 'campaigns' : `campaigns with the status ${statusInWords(route.status)}`;
  if (loaded.size === 0) {
    return isComplete ? `There are no ${what}.` : '';
  }
  const all = isComplete ? `${number(loaded.size)} ${what}` : `the newest ${number(loaded.size)} ${what}`;
  if (route.q.trim() === '') return isComplete ? `All ${all}.` : `The newest ${number(loaded.size)} ${what}.`;
  if (found === 0) return `None of ${isComplete ? 'the ' : ''}${all} has “${route.q.trim()}” in its name.`;
  return `${number(found)} of ${all}.`;
}

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
sort.addEventListener('change', () => go({ sort: sorts.find((name) => name === sort.value) ?? 'newest' }));
part('by-id').addEventListener('submit', (event) => {
  event.preventDefault();
  const id = part<HTMLInputElement>('id').value.trim();
  if (id !== '') location.hash = addressOf({ view: 'campaign', id, tab: 'sends', since: '', link: '' });
});
more.addEventListener('click', () => {
  wanted += loadedAtATime;
  load();
});
exportButtons(part('campaigns-exports'), () => ({
  path: 'campaigns',
  query: route.status === '' ? {} : { status: route.status },
  noun: 'campaigns',
  total: undefined,
}));
