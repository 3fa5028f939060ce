/**
 * The links of a campaign by clicks. Each leads to its clicks.
 */
import type { Link } from '../../client/client.ts';
import { make, part, say } from './page.ts';
import { Region, single } from './region.ts';
import { addressOf } from './routes.ts';
import { connect } from './session.ts';
import { number, percent, unknown } from './words.ts';

const region = new Region(part('links-panel'));
/** Of this campaign. */
let campaign = '';
let known: readonly Link[] | undefined;
/**
 * What a link's `clicks` counts. Contacts, with v3, have no total: one who clicked two links is counted with both. Undefined
 * while it is not known.
 */
export type LinkCount = 'clicks' | 'contacts';
let counted: LinkCount | undefined;
let whenKnown: () => void = () => {};

/** Loads the links of a campaign, unless they are known. */
export function loadLinks(id: string): void {
  if (id === campaign && (known || region.isBusy)) return;
  forgetLinks();
  campaign = id;
  void region.ask({
    what: 'Loading links',
    load: (signal) => single(connect().links(id, { signal })),
    show: (links) => {
      known = links;
      show(links);
      whenKnown();
    },
  });
}

export function forgetLinks(): void {
  region.stop();
  campaign = '';
  known = undefined;
  part('links-answer').hidden = true;
  say('links-total', '');
}

/** @param what undefined while it is not known */
export function countLinks(what: LinkCount | undefined): void {
  counted = what;
  if (known) show(known);
}

export const linkOf = (linkId: string) => known?.find(({ link_id }) => link_id === linkId);

export function onLinks(listener: () => void): void {
  whenKnown = listener;
}

export const addressOfClicks = (id: string, link: string) =>
  addressOf({ view: 'campaign', id, tab: 'clicks', since: '', link });

function show(links: readonly Link[]): void {
  const counts = links.map(({ clicks }) => clicks ?? 0);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const longest = counted === 'clicks' ? all : counts.reduce((most, count) => Math.max(most, count), 0);
  part('links-rows').replaceChildren(...links.map((link) => rowOf(link, longest)));
  say('links-counted', headingOfCounts());
  part('links-share').hidden = counted !== 'clicks';
  part('links-answer').hidden = links.length === 0;
  say(
    'links-total',
    links.length === 0 ? 'The campaign has no links, or none has been counted yet.' : totals(links, all),
  );
}

const headingOfCounts = () => (counted === 'contacts' ? 'Contacts' : 'Clicks');

function totals({ length }: readonly Link[], all: number): string {
  const links = `${number(length)} ${length === 1 ? 'link' : 'links'}`;
  const choose = 'Choose one to see its clicks.';
  if (counted === 'clicks') return `${links} with ${number(all)} clicks. ${choose}`;
  return counted === 'contacts'
    ? `${links}, each with the number of contacts who clicked it. ${choose}`
    : `${links}. ${choose}`;
}

/** @param longest the count whose bar is full */
function rowOf({ link_id, url, clicks }: Link, longest: number): HTMLTableRowElement {
  const link = make('a', '', url || link_id);
  link.href = addressOfClicks(campaign, link_id);
  const heading = make('th', 'name', link);
  heading.scope = 'row';
  const bar = make('span', 'bar');
  bar.style.width = `${clicks === null || longest === 0 ? 0 : (100 * clicks) / longest}%`;
  const count = make('td', 'number', clicks === null ? unknown : number(clicks));
  count.dataset['label'] = headingOfCounts();
  const share = make('td', 'number', clicks === null ? unknown : percent(clicks, longest));
  share.dataset['label'] = 'Share';
  share.hidden = counted !== 'clicks';
  return make('tr', '', heading, count, share, make('td', 'share', make('span', 'track', bar)));
}
