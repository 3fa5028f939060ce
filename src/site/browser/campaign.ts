/**
 * The view of one campaign: what it is, its counts, and its reports and links in tabs.
 */
import type { CampaignDetails, Summary } from '../../client/client.ts';
import { statusBadge } from './campaign-row.ts';
import { countLinks, forgetLinks, loadLinks } from './links.ts';
import { make, part, say } from './page.ts';
import { Region, single } from './region.ts';
import { clearSearch, hasRows, leaveReport, showReport, showTotals } from './report.ts';
import { titleOf } from './reports.ts';
import { addressOfChoice, type CampaignRoute } from './routes.ts';
import { connect } from './session.ts';
import { focusTab, showTabs } from './tabs.ts';
import { showTiles } from './tiles.ts';
import { timeElement, zoneElement } from './times.ts';
import { readable } from './words.ts';

const region = new Region(part('campaign-view'));
const tilesRegion = new Region(part('tiles-region'));

let shown: CampaignRoute | undefined;
let details: CampaignDetails | undefined;
let summary: Summary | undefined;

export function showCampaign(route: CampaignRoute, isForced: boolean): void {
  const before = shown;
  const isNew = isForced || before?.id !== route.id;
  shown = route;
  if (isNew) start(route.id);
  showTabs(route);
  showTitle();
  part<HTMLAnchorElement>('compare-start').href = addressOfChoice(route.id);
  if (route.tab === 'links' || route.tab === 'clicks') loadLinks(route.id);
  if (route.tab === 'links') leaveReport();
  else if (isNew || !isSameReport(before, route)) showReport({ ...route, tab: route.tab });
  if (!isNew) keepFocus();
}

export function leaveCampaign(): void {
  shown = undefined;
  region.stop();
  tilesRegion.stop();
  leaveReport();
  forgetLinks();
}

const isSameReport = (a: CampaignRoute | undefined, b: CampaignRoute) =>
  a?.tab === b.tab && a.since === b.since && a.link === b.link;

function start(id: string): void {
  forgetLinks();
  clearSearch();
  countLinks(undefined);
  details = undefined;
  summary = undefined;
  say('campaign-title', 'Campaign');
  part('about').replaceChildren();
  // While nothing is known, problems would be told three times.
  part('campaign-body').hidden = true;
  showSummary();
  loadDetails(id);
  loadSummary(id);
}

function loadDetails(id: string): void {
  void region
    .ask({
      what: 'Loading the campaign',
      load: (signal) => single(connect().campaign(id, { signal })),
      show: (campaign) => {
        details = campaign;
        showDetails(campaign);
        // Only v3 has activities, and its links count contacts.
        countLinks(campaign.activities.length > 0 ? 'contacts' : 'clicks');
        showTitle();
      },
      again: () => shown && showCampaign(shown, true),
    })
    .then((outcome) => {
      if (outcome !== 'aborted') part('campaign-body').hidden = outcome === 'failed' && !hasRows();
    });
}

function loadSummary(id: string): void {
  void tilesRegion.ask({
    what: 'Loading counts',
    load: (signal) => single(connect().summary(id, { signal })),
    show: (counts) => {
      summary = counts;
      showSummary();
    },
  });
}

function showSummary(): void {
  showTiles(summary);
  showTotals(summary);
}

function showDetails({
  status,
  subject,
  from_name,
  from_email,
  created_date,
  last_run_date,
  modified_date,
}: CampaignDetails): void {
  const from = [from_name, from_email && (from_name ? `<${from_email}>` : from_email)].filter(Boolean).join(' ');
  const facts: readonly (readonly [string, readonly (string | Node)[]])[] = [
    ['Status', [statusBadge(status)]],
    ['Subject', textOrNothing(readable(subject))],
    ['From', textOrNothing(from)],
    ['Last sent', when(last_run_date)],
    ['Created', when(created_date)],
    ['Changed', modified_date === last_run_date ? [] : when(modified_date)],
  ];
  part('about').replaceChildren(
    ...facts
      .filter(([, value]) => value.length > 0)
      .map(([name, value]) => make('div', '', make('dt', '', name), make('dd', '', ...value))),
  );
}

const textOrNothing = (text: string) => (text === '' ? [] : [text]);

const when = (iso: string) => (iso === '' ? [] : [timeElement(iso, 'minute'), ' ', zoneElement()]);

function showTitle(): void {
  if (!shown) return;
  const name = readable(details?.name ?? '') || `Campaign ${shown.id}`;
  say('campaign-title', name);
  document.title = `${name} · ${titleOf(shown.tab)} · Sendgate`;
}

/** A link that was followed may be gone, and the focus with it. */
function keepFocus(): void {
  const focused = document.activeElement;
  if (!focused || focused === document.body || !focused.checkVisibility()) focusTab();
}
