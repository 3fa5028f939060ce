/**
 * The view of one campaign: a table that goes on as it is scrolled, and what it shows.
 */
import { createClient, type ReceivedPage, type Send, SendgateError } from '../../client/client.ts';
import { chart } from './charts.ts';
import { save } from './export.ts';
import { part, row, say } from './page.ts';
import { number, outcomeInWords } from './words.ts';

/** Rows that a page can hold and still be scrolled with ease. */
const maxRows = 20_000;
const hourMs = 3_600_000;
/** Stands for what Constant Contact does not tell. */
const unknown = '–';
const baseUrl = new URL('.', location.href).href;

interface Question {
  readonly campaign: string;
  readonly since: string;
}

const campaign = part<HTMLInputElement>('campaign');
const since = part<HTMLInputElement>('since');
const token = part<HTMLInputElement>('token');
const more = part<HTMLButtonElement>('more');
const hours = chart(part('hours-chart'), 'bars');

let question: Question = { campaign: '', since: '' };
let next: string | undefined;
let loading: AbortController | undefined;
let shown: Send[] = [];
let again: () => void = () => {};

const authorization = (): Record<string, string> =>
  token.value === '' ? {} : { authorization: `Bearer ${token.value}` };

/** Errors are shown at once: who looks decides whether to wait. */
const client = () =>
  createClient({ baseUrl, patienceSeconds: 0, ...(token.value === '' ? {} : { token: token.value }) });

/** Asks, and begins anew. */
export function ask(asked: Question): void {
  question = asked;
  campaign.value = asked.campaign;
  since.value = asked.since;
  next = undefined;
  shown = [];
  part('rows').replaceChildren();
  part('answer').hidden = true;
  say('export-outcome', '');
  if (asked.campaign !== '') void load();
}

async function load(): Promise<void> {
  loading?.abort();
  const controller = new AbortController();
  loading = controller;
  part('problem').hidden = true;
  more.disabled = true;
  const { signal } = controller;
  const options = {
    signal,
    ...(question.since === '' ? {} : { createdSince: question.since }),
    ...(next ? { from: next } : {}),
  };
  try {
    const { value } = await client().pages(question.campaign, options).next();
    if (value && !signal.aborted) show(value);
  } catch (error) {
    if (!signal.aborted) fail(error, () => void load());
  } finally {
    more.disabled = false;
    if (loading === controller) loading = undefined;
  }
}

function show(page: ReceivedPage): void {
  const rows = page.sends.map(({ send_date, email_address, contact_id }) =>
    row([send_date || unknown, email_address || unknown, contact_id || unknown]),
  );
  part('rows').append(...rows);
  shown.push(...page.sends);
  next = page.next;
  part('answer').hidden = false;
  say('outcome', outcomeInWords(page.cacheStatus, page.ageSeconds));
  say('curl', `curl ${token.value === '' ? '' : `-H 'Authorization: Bearer …' `}'${page.url}'`);
  const isFull = shown.length >= maxRows;
  more.hidden = next === undefined || isFull;
  say(
    'end',
    next === undefined
      ? `All ${number(shown.length)} sends are shown.`
      : isFull
        ? `The newest ${number(shown.length)} sends are shown: export the campaign for all of them.`
        : `The newest ${number(shown.length)} sends are shown.`,
  );
  showHours();
  // A short page leaves the end in sight, and nothing to scroll.
  if (!more.hidden && isInSight) requestAnimationFrame(() => isInSight && !more.hidden && void load());
}

function showHours(): void {
  const counts = new Map<number, number>();
  for (const { send_date } of shown) {
    const hour = Math.floor(Date.parse(send_date) / hourMs);
    // A send without a date is in the table, and in no hour.
    if (!Number.isNaN(hour)) counts.set(hour, (counts.get(hour) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a], [b]) => a - b);
  const [busiest] = [...counts].sort(([, a], [, b]) => b - a);
  const at = (hour: number) => new Date(hour * hourMs).toISOString().slice(0, 16).replace('T', ' ');
  say(
    'hours',
    busiest
      ? `Sends by hour, of those shown: ${sorted.length} hour${sorted.length === 1 ? '' : 's'}, most at ${at(busiest[0])} UTC (${number(busiest[1])})`
      : shown.length === 0
        ? 'No sends.'
        : 'No sends with a date.',
  );
  hours.show(
    sorted.map(([hour]) => hour * 3_600),
    [{ name: 'sends', values: sorted.map(([, count]) => count) }],
  );
}

let countdown: ReturnType<typeof setInterval> | undefined;

function fail(error: unknown, retry: () => void): void {
  clearInterval(countdown);
  again = retry;
  const problem = error instanceof SendgateError ? error.problem : undefined;
  say('problem-title', problem?.title ?? 'Sendgate cannot be reached');
  say('problem-detail', problem?.detail ?? 'There is no connection, or it was broken off. What you see may be old.');
  part('problem-errors').replaceChildren(
    ...(problem?.errors ?? []).map(({ parameter, problem, allowed }) => {
      const item = document.createElement('li');
      item.textContent = `${parameter} ${problem}; allowed: ${allowed}`;
      return item;
    }),
  );
  const link = part<HTMLAnchorElement>('problem-more');
  link.hidden = problem === undefined;
  if (problem) link.href = problem.type;
  let left = error instanceof SendgateError ? (error.retryAfterSeconds ?? 0) : 0;
  const tell = () => {
    say('problem-wait', left > 0 ? `It may work in ${number(left)} s.` : '');
    if (left-- <= 0) clearInterval(countdown);
  };
  tell();
  if (left >= 0) countdown = setInterval(tell, 1_000);
  part('problem').hidden = false;
}

async function exportAs(format: 'csv' | 'ndjson'): Promise<void> {
  const search = question.since === '' ? '' : `?created_since=${encodeURIComponent(question.since)}`;
  const url = `${baseUrl}campaigns/${encodeURIComponent(question.campaign)}/sends.${format}${search}`;
  part('problem').hidden = true;
  const retry = () => void exportAs(format);
  try {
    const refused = await save({
      url,
      format,
      headers: authorization(),
      total: async () => {
        if (question.since !== '') return undefined;
        return client()
          .summary(question.campaign)
          .then(
            ({ sends }) => sends ?? undefined,
            () => undefined,
          );
      },
    });
    if (refused) fail(await SendgateError.from(refused), retry);
  } catch (error) {
    fail(error, retry);
  }
}

part('question').addEventListener('submit', (event) => {
  event.preventDefault();
  const asked = new URLSearchParams({ campaign: campaign.value.trim(), since: since.value });
  const hash = `#sends?${asked}`;
  if (location.hash === hash) ask({ campaign: campaign.value.trim(), since: since.value });
  else location.hash = hash;
});
part('again').addEventListener('click', () => again());
more.addEventListener('click', () => void load());
for (const button of document.querySelectorAll<HTMLButtonElement>('[data-export]')) {
  button.addEventListener('click', () => void exportAs(button.dataset['export'] === 'csv' ? 'csv' : 'ndjson'));
}
part('copy').addEventListener('click', async () => {
  await navigator.clipboard.writeText(part('curl').textContent ?? '');
  say('copy', 'Copied');
  setTimeout(() => say('copy', 'Copy'), 2_000);
});

/** Whether the end of the table is in sight: then the next page is wanted. */
let isInSight = false;
new IntersectionObserver(
  ([entry]) => {
    isInSight = entry?.isIntersecting ?? false;
    if (isInSight && !more.hidden && !loading && part('problem').hidden) void load();
  },
  { root: part('scroll'), rootMargin: '400px' },
).observe(more.parentElement ?? more);
