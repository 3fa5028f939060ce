/**
 * The tabs of a campaign. Arrow keys move between them; Enter or Space opens one, as each costs a call.
 */
import { make, part } from './page.ts';
import { type Tab, tabs, titleOf } from './reports.ts';
import { addressOf, type CampaignRoute } from './routes.ts';

const list = part('tabs');

const elements = tabs.map((tab) => {
  const element = make('a', '', titleOf(tab));
  element.id = `tab-${tab}`;
  element.setAttribute('role', 'tab');
  element.setAttribute('aria-controls', panelOf(tab));
  return { tab, element };
});
list.replaceChildren(...elements.map(({ element }) => element));

function panelOf(tab: Tab): 'links-panel' | 'report-panel' {
  return tab === 'links' ? 'links-panel' : 'report-panel';
}

/** A date stays chosen from one report to the next. */
export function showTabs({ id, tab: current, since }: CampaignRoute): void {
  for (const { tab, element } of elements) {
    const isCurrent = tab === current;
    element.href = addressOf({ view: 'campaign', id, tab, since: tab === 'links' ? '' : since, link: '' });
    element.setAttribute('aria-selected', String(isCurrent));
    element.tabIndex = isCurrent ? 0 : -1;
  }
  for (const panel of ['links-panel', 'report-panel'] as const) {
    part(panel).hidden = panel !== panelOf(current);
  }
  part('report-panel').setAttribute('aria-labelledby', `tab-${current}`);
  reveal();
}

/** Scrolls the open tab into sight, where the tabs do not fit. */
function reveal(): void {
  const open = elements.find(({ element }) => element.tabIndex === 0)?.element.getBoundingClientRect();
  const { left, right } = list.getBoundingClientRect();
  if (open) list.scrollLeft += Math.max(0, open.right - right) + Math.min(0, open.left - left);
}

// They are hidden until the campaign is known.
new ResizeObserver(reveal).observe(list);

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
