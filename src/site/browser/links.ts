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

export const linkOf = (linkId: string) => known?.find(({ link_id }) => link_id === linkId);

export function onLinks(listener: () => void): void {
  whenKnown = listener;
}

export const addressOfClicks = (id: string, link: string) =>
  addressOf({ view: 'campaign', id, tab: 'clicks', since: '', link });

function show(links: readonly Link[]): void {
  const all = links.reduce((sum, { clicks }) => sum + (clicks ?? 0), 0);
  part('links-rows').replaceChildren(...links.map((link) => rowOf(link, all)));
  part('links-answer').hidden = links.length === 0;
  say(
    'links-total',
    links.length === 0 ? 'The campaign has no links, or none has been counted yet.' : totals(links, all),
  );
}

const totals = ({ length }: readonly Link[], all: number) =>
  `${number(length)} ${length === 1 ? 'link' : 'links'} with ${number(all)} clicks. Choose one to see its clicks.`;

function rowOf({ link_id, url, clicks }: Link, all: number): HTMLTableRowElement {
  const link = make('a', '', url || link_id);
  link.href = addressOfClicks(campaign, link_id);
  const heading = make('th', 'name', link);
  heading.scope = 'row';
  const bar = make('span', 'bar');
  bar.style.width = `${clicks === null || all === 0 ? 0 : (100 * clicks) / all}%`;
  const share = clicks === null ? unknown : percent(clicks, all);
  return make(
    'tr',
    '',
    heading,
    make('td', 'number', clicks === null ? unknown : number(clicks)),
    make('td', 'number', share),
    make('td', 'share', make('span', 'track', bar)),
  );
}
