/**
 * Shows the view in the address: `#sends?campaign=…&since=…` or `#live`.
 */
import { watch } from './live.ts';
import { part } from './page.ts';
import { ask } from './sends.ts';

function show(): void {
  const [view = '', search = ''] = location.hash.slice(1).split('?');
  const isLive = view === 'live';
  part('sends').hidden = isLive;
  part('live').hidden = !isLive;
  for (const link of document.querySelectorAll<HTMLElement>('[data-view]')) {
    const isCurrent = link.dataset['view'] === (isLive ? 'live' : 'sends');
    if (isCurrent) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = isLive ? 'Right now · Sendgate' : 'Sendgate';
  watch(isLive);
  if (isLive || search === '') return;
  const asked = new URLSearchParams(search);
  ask({ campaign: asked.get('campaign') ?? '', since: asked.get('since') ?? '' });
}

addEventListener('hashchange', show);
show();
