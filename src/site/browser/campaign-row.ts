/**
 * A campaign's row in the list.
 */
import type { Campaign, Summary } from '../../client/client.ts';
import { make } from './page.ts';
import { addressOf, addressOfCampaign } from './routes.ts';
import { timeElement, zoneElement } from './times.ts';
import { number, readable, statusInWords, unknown } from './words.ts';

const counts = [
  ['sends', 'Sent'],
  ['opens', 'Opened'],
  ['clicks', 'Clicked'],
  ['bounces', 'Bounced'],
  ['unsubscribes', 'Unsubscribed'],
] as const satisfies readonly (readonly [keyof Summary, string])[];

/** Campaigns of these have not gone out, and v2 has nothing on deleted ones: no counts to ask for. */
const withoutCounts: ReadonlySet<string> = new Set(['DRAFT', 'SCHEDULED', 'DELETED']);

export interface CampaignRow {
  readonly element: HTMLTableRowElement;
  readonly mayHaveCounts: boolean;
  /** @param summary undefined if there are no counts */
  showCounts(summary: Summary | undefined): void;
  /** Links the row to the campaign or, with the id of another, to the comparison with that. */
  linkTo(compare: string): void;
}

export function campaignRow(campaign: Campaign): CampaignRow {
  const { id, status } = campaign;
  const name = readable(campaign.name) || id;
  const link = make('a', '', name);
  link.dataset['id'] = id;
  const heading = make('th', 'name', ...(isGone(campaign) ? withoutLink(name) : [link]));
  heading.scope = 'row';
  const mayHaveCounts = !withoutCounts.has(status);
  const cells = counts.map(([, label]) => {
    const cell = make('td', 'number', mayHaveCounts ? '…' : unknown);
    cell.dataset['label'] = label;
    return cell;
  });
  return {
    element: make('tr', '', heading, make('td', 'state', statusBadge(status)), date(campaign), ...cells),
    mayHaveCounts,
    showCounts: (summary) => {
      for (const [index, [field]] of counts.entries()) {
        const value = summary?.[field];
        const cell = cells[index];
        if (cell) cell.textContent = typeof value === 'number' ? number(value) : unknown;
      }
    },
    linkTo: (compare) => {
      const isOther = compare !== '' && compare !== id;
      link.href = isOther ? addressOf({ view: 'compare', id: compare, with: id }) : addressOfCampaign(id);
    },
  };
}

/** v2, whose ids are digits, lists deleted campaigns but answers nothing about them; v3 still does. */
const isGone = ({ id, status }: Campaign) => status === 'DELETED' && /^\d+$/.test(id);

const withoutLink = (name: string) => [
  make('span', '', name),
  make('small', 'hint', 'Cannot be opened: Constant Contact gives no reports of deleted campaigns.'),
];

export function statusBadge(status: string): HTMLElement {
  const badge = make('span', 'badge', statusInWords(status));
  badge.dataset['status'] = status;
  return badge;
}

/** What campaigns are sorted by: when it went out, where that is known; else its last change. */
export const dateOf = ({ last_run_date, modified_date }: Campaign) => last_run_date || modified_date;

function date(campaign: Campaign): HTMLElement {
  const cell = make('td', 'date', timeElement(dateOf(campaign), 'minute'), ' ', zoneElement());
  cell.dataset['label'] = campaign.last_run_date === '' ? 'Changed' : 'Last sent';
  return cell;
}
