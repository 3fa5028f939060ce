/**
 * Shows the view in the address.
 */
import { leaveCampaign, showCampaign } from './campaign.ts';
import { leaveCampaigns, showCampaigns } from './campaigns.ts';
import { leaveComparison, showComparison } from './compare.ts';
import { watch } from './live.ts';
import { part, within } from './page.ts';
import { addressOf, parseRoute, type Route } from './routes.ts';
import { onTokenChange } from './session.ts';
import './zone-switch.ts';

const views = ['campaigns', 'campaign', 'compare', 'live'] as const satisfies readonly Route['view'][];
let shown: Route | undefined;
/** Where the list was when it was left. */
let listScroll = 0;

function show(isForced = false): void {
  const route = parseRoute(location.hash);
  // The address says what is shown, whatever was asked: a report that does not exist, an address of the first version.
  const address = addressOf(route);
  if (location.hash !== '' && location.hash !== address) history.replaceState(null, '', address);
  const before = shown;
  if (before?.view === 'campaigns' && route.view !== 'campaigns') listScroll = scrollY;
  shown = route;
  for (const view of views) part(`${view}-view`).hidden = view !== route.view;
  markCurrent(route.view);
  leaveOthers(route.view);
  open(route, isForced);
  if (before && placeOf(before) !== placeOf(route)) enter(route, before);
}

function leaveOthers(view: Route['view']): void {
  watch(view === 'live');
  if (view !== 'campaigns') leaveCampaigns();
  if (view !== 'campaign') leaveCampaign();
  if (view !== 'compare') leaveComparison();
}

function open(route: Route, isForced: boolean): void {
  switch (route.view) {
    case 'campaigns':
      for (const back of ['back', 'compare-back']) {
        part<HTMLAnchorElement>(back).href = addressOf({ ...route, compare: '' });
      }
      showCampaigns(route, isForced);
      break;
    case 'campaign':
      showCampaign(route, isForced);
      break;
    case 'compare':
      showComparison(route, isForced);
      break;
    case 'live':
      document.title = 'Live · Sendgate';
  }
}

function markCurrent(view: Route['view']): void {
  for (const link of document.querySelectorAll<HTMLElement>('[data-view]')) {
    const isCurrent = link.dataset['view'] === (view === 'live' ? 'live' : 'campaigns');
    if (isCurrent) link.setAttribute('aria-current', link.dataset['view'] === view ? 'page' : 'true');
    else link.removeAttribute('aria-current');
  }
}

/** What is shown, whichever part of it. */
function placeOf(route: Route): string {
  if (route.view === 'campaign') return `${route.view} ${route.id}`;
  if (route.view === 'campaigns') return `${route.view} ${route.compare}`;
  return addressOf(route);
}

/** Moves focus and scrolling to where a person goes on: in the list, to the campaign that was open. */
function enter(route: Route, before: Route): void {
  const opened =
    route.view === 'campaigns' && route.compare === '' && before.view === 'campaign'
      ? document.querySelector<HTMLElement>(`#campaigns-rows a[data-id="${CSS.escape(before.id)}"]`)
      : null;
  scrollTo(0, opened ? listScroll : 0);
  (opened ?? part(`${route.view}-title`)).focus({ preventScroll: true });
}

// The fragment of an address is the view's.
within(document, '.skip').addEventListener('click', (event) => {
  event.preventDefault();
  part('main').focus();
});
addEventListener('hashchange', () => show());
onTokenChange(() => {
  show(true);
  // The field is gone, and the focus with it.
  part('main').focus({ preventScroll: true });
});
show();
