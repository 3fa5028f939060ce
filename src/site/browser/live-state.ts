/**
 * The state of Constant Contact, as the answering Sendgate sees it.
 */
import type { Status } from '../../client/client.ts';
import { badge, type Level } from './badge.ts';
import { part } from './page.ts';
import { momentInWords } from './times.ts';

type Upstream = Status['upstream'];

interface State {
  readonly level: Level;
  /** Followed by `since 10:42 local time` unless the level is `ok` or `note`. */
  readonly word: string;
  /** What that means for the reader. */
  readonly meaning: string;
}

const cached = 'Sendgate serves the pages that it holds; all else fails.';

const states: Readonly<Record<Upstream['state'], State>> = {
  ok: { level: 'ok', word: 'Answers', meaning: '' },
  untested: { level: 'note', word: 'Not called yet', meaning: 'Sendgate has made no call since its start.' },
  failing: { level: 'stop', word: 'Down', meaning: `${cached} It tries again by itself.` },
  'credentials-refused': {
    level: 'stop',
    word: 'Credentials refused',
    meaning: `${cached} The operators have to replace the credentials.`,
  },
  'quota-exhausted': { level: 'warn', word: 'Day’s calls spent', meaning: cached },
  gone: { level: 'stop', word: 'API withdrawn', meaning: `${cached} The operators have to switch to another version.` },
};

/** Changes the page only if the state has changed, as screen readers read each change. */
let shown = '';

function show({ level, word, meaning }: State): void {
  if (shown === word) return;
  shown = word;
  part('condition').replaceChildren('Constant Contact ', badge(level, word), ' ', meaning);
}

export function showState({ state, since }: Upstream, nowMs: number): void {
  const { level, word, meaning } = states[state];
  const isWell = level === 'ok' || level === 'note';
  show({ level, meaning, word: isWell ? word : `${word} since ${momentInWords(since, nowMs)}` });
}

/** @param asOf when the figures that are shown arrived */
export function showStale(asOf: string, nowMs: number): void {
  const word = `Unknown since ${momentInWords(asOf, nowMs)}`;
  show({ level: 'note', word, meaning: 'The figures below are from then.' });
}
