/**
 * The view of one campaign: a table that loads more rows as it scrolls, a chart, and exports.
 */
import { createClient, type ReceivedSends, type Send, SendgateError } from '../../client/client.ts';
import { save } from './export.ts';
import { showHours } from './hours.ts';
import { part, row, say } from './page.ts';
import { hideProblem, showProblem } from './problem.ts';
import { number, outcomeInWords } from './words.ts';

/** Rows that a browser still scrolls smoothly. */
const maxRows = 20_000;
/** Shown for an empty field. */
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

let question: Question = { campaign: '', since: '' };
let next: string | undefined;
let loading: AbortController | undefined;
let shown: Send[] = [];

const authorization = (): Record<string, string> =>
  token.value === '' ? {} : { authorization: `Bearer ${token.value}` };

/** Makes a client that never retries: errors show at once, and the person decides whether to wait. */
const client = () =>
  createClient({ baseUrl, patienceSeconds: 0, ...(token.value === '' ? {} : { token: token.value }) });

/** Shows a campaign from its first page. */
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
  hideProblem();
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
    if (!signal.aborted) showProblem(error, () => void load());
  } finally {
    more.disabled = false;
    if (loading === controller) loading = undefined;
  }
}

function show(page: ReceivedSends): void {
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
  say('end', endOfTable(isFull));
  showHours(shown);
  // After a short page the table's end is still in sight, so scrolling cannot load more.
  if (!more.hidden && isInSight) requestAnimationFrame(() => isInSight && !more.hidden && void load());
}

function endOfTable(isFull: boolean): string {
  const count = number(shown.length);
  if (next === undefined) return `All ${count} sends are shown.`;
  return isFull
    ? `The newest ${count} sends are shown: export the campaign for all of them.`
    : `The newest ${count} sends are shown.`;
}

async function exportAs(format: 'csv' | 'ndjson'): Promise<void> {
  const search = question.since === '' ? '' : `?created_since=${encodeURIComponent(question.since)}`;
  const url = `${baseUrl}campaigns/${encodeURIComponent(question.campaign)}/sends.${format}${search}`;
  hideProblem();
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
    if (refused) showProblem(await SendgateError.from(refused), retry);
  } catch (error) {
    showProblem(error, retry);
  }
}

part('question').addEventListener('submit', (event) => {
  event.preventDefault();
  const asked = new URLSearchParams({ campaign: campaign.value.trim(), since: since.value });
  const hash = `#sends?${asked}`;
  if (location.hash === hash) ask({ campaign: campaign.value.trim(), since: since.value });
  else location.hash = hash;
});
more.addEventListener('click', () => void load());
for (const button of document.querySelectorAll<HTMLButtonElement>('[data-export]')) {
  button.addEventListener('click', () => void exportAs(button.dataset['export'] === 'csv' ? 'csv' : 'ndjson'));
}
part('copy').addEventListener('click', async () => {
  await navigator.clipboard.writeText(part('curl').textContent ?? '');
  say('copy', 'Copied');
  setTimeout(() => say('copy', 'Copy'), 2_000);
});

/** Whether the end of the table is in sight, which loads the next page. */
let isInSight = false;
new IntersectionObserver(
  ([entry]) => {
    isInSight = entry?.isIntersecting ?? false;
    if (isInSight && !more.hidden && !loading && part('problem').hidden) void load();
  },
  { root: part('scroll'), rootMargin: '400px' },
).observe(more.parentElement ?? more);
