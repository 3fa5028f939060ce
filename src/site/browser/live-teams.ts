/**
 * The teams in the live view: their day, and what they were answered.
 */
import type { Status } from '../../client/client.ts';
import { badge } from './badge.ts';
import { borrowingInWords, lendable } from './borrowing.ts';
import { make, part, say } from './page.ts';
import { momentInWords } from './times.ts';
import { number, percent, unknown } from './words.ts';

type TeamDay = Status['teams'][number];
type Errors = Status['errors'][string];

/** What the status has for calls of no team. */
const accountName = '(account)';

export interface TeamStatus {
  readonly team: string;
  /** Calls queued since start. */
  readonly calls: number;
  readonly waiting: number;
  /** Seconds, of interactive requests. */
  readonly waitP50: number;
  readonly waitP95: number;
}

export function teamsOf({ queues }: Status): TeamStatus[] {
  return [...new Set(queues.map(({ team }) => team))].map((team) => {
    const own = queues.filter((queue) => queue.team === team);
    const callers = own.find(({ urgency }) => urgency === 'interactive');
    return {
      team,
      calls: sum(own.map(({ calls }) => calls)),
      waiting: sum(own.map(({ waiting }) => waiting)),
      waitP50: callers?.waitP50 ?? 0,
      waitP95: callers?.waitP95 ?? 0,
    };
  });
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Pages served, and how many of them cost no call. */
export function pagesOf({ served }: Status, team?: string) {
  const outcomes = team === undefined ? Object.values(served) : [served[team] ?? {}];
  const all = sum(outcomes.flatMap((counts) => Object.values(counts)));
  const called = sum(outcomes.map(({ miss = 0, collapsed = 0 }) => miss + collapsed));
  return { all, hits: all - called };
}

export function showTeams(status: Status): void {
  const { teams, upstream } = status;
  const sharing = teams.filter(({ part }) => part > 0).length;
  const lent = (day: TeamDay) => (sharing > 1 ? lendable(day, upstream.leftToday) : unknown);
  part('days').replaceChildren(...teams.map((day) => dayRow(day, lent(day))));
  say('borrowing', borrowingInWords(status));
  for (const id of ['days-table', 'team-answers', 'team-charts']) part(id).hidden = teams.length === 0;
  showAnswers(status);
}

function dayRow(day: TeamDay, lent: number | string): HTMLTableRowElement {
  const { team, calls, part: share, borrowed, available } = day;
  const used = document.createElement('meter');
  used.max = Math.max(1, share);
  used.value = Math.min(calls, share);
  used.setAttribute('aria-label', `${percent(Math.min(calls, share), share)} of the share used`);
  const numbers = { 'Calls today': calls, Share: share };
  const rest = { Borrowed: borrowed, 'Can lend': lent, 'Can call now': available };
  return make(
    'tr',
    '',
    heading(team),
    make('td', 'situation', situationOf(day)),
    ...Object.entries(numbers).map(numberCell),
    make('td', 'share', share === 0 ? '' : used),
    ...Object.entries(rest).map(numberCell),
  );
}

function situationOf({ team, borrowed, available }: TeamDay): HTMLElement {
  if (available < 1) return badge('stop', 'No call left');
  if (team === accountName) return badge('note', 'Probes');
  return borrowed > 0 ? badge('warn', 'Borrows') : badge('ok', 'In its share');
}

/** The errors when the page was opened; after a restart of Sendgate, those that it counts since then. */
let opened: { readonly atMs: number; readonly errors: Status['errors'] } | undefined;

const none: Errors = { rateLimited: 0, rejected: 0, failed: 0 };

function showAnswers(status: Status): void {
  const { errors, served, teams } = status;
  if (!opened || isLess(errors, opened.errors)) opened = { atMs: Date.now(), errors };
  const queues = teamsOf(status);
  const withShare = teams.map(({ team }) => team).filter((team) => team !== accountName);
  const names = new Set([...withShare, ...Object.keys(served), ...Object.keys(errors)]);
  const rows = [...names].map((team) => {
    const pages = pagesOf(status, team);
    const queue = queues.find((one) => one.team === team);
    return make(
      'tr',
      '',
      heading(team),
      numberCell(['Pages', pages.all]),
      numberCell(['Hit ratio', percent(pages.hits, pages.all)]),
      errorCell('429', team, 'rateLimited', errors),
      errorCell('Other 4xx', team, 'rejected', errors),
      errorCell('5xx', team, 'failed', errors),
      numberCell(['Queued', queue?.waiting ?? 0]),
      numberCell(['Wait, median', queue ? `${queue.waitP50.toFixed(2)} s` : unknown]),
      numberCell(['Wait, p95', queue ? `${queue.waitP95.toFixed(2)} s` : unknown]),
    );
  });
  part('answers').replaceChildren(...rows);
}

/** Whether any count is lower than it was. */
const isLess = (now: Status['errors'], before: Status['errors']) =>
  Object.entries(before).some(([team, counts]) =>
    (Object.keys(none) as (keyof Errors)[]).some((kind) => (now[team] ?? none)[kind] < counts[kind]),
  );

/** How many there are, and how many of them are new. */
function errorCell(label: string, team: string, kind: keyof Errors, errors: Status['errors']): HTMLElement {
  const count = (errors[team] ?? none)[kind];
  const fresh = count - (opened?.errors[team] ?? none)[kind];
  const cell = numberCell([label, count]);
  if (fresh > 0 && opened) {
    cell.append(
      ' ',
      badge('warn', `${number(fresh)} since ${momentInWords(new Date(opened.atMs).toISOString(), Date.now())}`),
    );
  }
  return cell;
}

function heading(team: string): HTMLElement {
  const cell = make('th', 'name', team);
  cell.scope = 'row';
  return cell;
}

/** @param label stands before the value where columns do not fit */
function numberCell([label, value]: readonly [string, number | string]): HTMLElement {
  const cell = make('td', 'number', typeof value === 'number' ? number(value) : value);
  cell.dataset['label'] = label;
  return cell;
}
