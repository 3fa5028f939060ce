/**
 * A state by colour, icon and word, so that no one has to see the colour.
 */
import { make } from './page.ts';

export type Level = 'ok' | 'note' | 'warn' | 'stop';

const svg = 'http://www.w3.org/2000/svg';

/** Outlines in a square of 16. */
const outlines: Readonly<Record<Level, string>> = {
  ok: 'M2.5 8.5l3.5 3.5 7.5-8',
  note: 'M8 2.5a5.5 5.5 0 1 0 .01 0z',
  warn: 'M8 2l6.5 12h-13zM8 6.5v3.5M8 11.9v.4',
  stop: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
};

export function badge(level: Level, word: string): HTMLElement {
  const icon = document.createElementNS(svg, 'svg');
  icon.setAttribute('viewBox', '0 0 16 16');
  icon.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(svg, 'path');
  path.setAttribute('d', outlines[level]);
  icon.append(path);
  const element = make('span', 'level', icon, word);
  element.dataset['level'] = level;
  return element;
}
