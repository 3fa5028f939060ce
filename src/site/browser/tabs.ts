/**
 * The tabs of a campaign. Arrow keys move between them; Enter or Space opens one, as each costs a call.
 */
import type { Summary } from '../../client/client.ts';
import { make, part } from './page.ts';
import { type Tab, tabs, titleOf } from './reports.ts';
import { addressOf } from './routes.ts';
import { number } from './words.ts';

const list = part('tabs');
const counts = new Map<Tab, HTMLElement>();

const elements = tabs.map((tab) => {
  const count = make('span', 'count');
  counts.set(tab, count);
  const element = make('a', '', titleOf[tab], ' ', count);
  element.id = `tab-${tab}`;
  element.setAttribute('role', 'tab');
  element.setAttribute('aria-controls', panelOf(tab));
  return { tab, element };
});
list.replaceChildren(...elements.map(({ element }) => element));

function panelOf(tab: Tab): 'links-panel' | 'report-panel' {
  return tab === 'links' ? 'links-panel' : 'report-panel';
}

export function showTabs(id: string, current: Tab): void {
  for (const { tab, element } of elements) {
    const isCurrent = tab === current;
    element.href = addressOf({ view: 'campaign', id, tab, since: '', link: '' });
    element.setAttribute('aria-selected', String(isCurrent));
    element.tabIndex = isCurrent ? 0 : -1;
  }
  for (const panel of ['links-panel', 'report-panel'] as const) {
    part(panel).hidden = panel !== panelOf(current);
  }
  part('report-panel').setAttribute('aria-labelledby', `tab-${current}`);
}

/** @param summary undefined while it is not known */
export function showCounts(summary: Summary | undefined): void {
  for (const [tab, element] of counts) {
    const count = tab === 'links' ? undefined : summary?.[tab];
    element.textContent = typeof count === 'number' ? number(count) : '';
  }
}

/** Focuses the open tab. */
export function focusTab(): void {
  elements.find(({ element }) => element.tabIndex === 0)?.element.focus();
}

const moves: Readonly<Record<string, (index: number) => number>> = {
  ArrowRight: (index) => index + 1,
  ArrowLeft: (index) => index - 1,
  Home: () => 0,
  End: () => -1,
};

list.addEventListener('keydown', (event) => {
  const index = elements.findIndex(({ element }) => element === event.target);
  const focused = elements[index]?.element;
  if (event.key === ' ') focused?.click();
  const target = moves[event.key]?.(index);
  if (target !== undefined) elements.at(target % elements.length)?.element.focus();
  if (target !== undefined || event.key === ' ') event.preventDefault();
});
