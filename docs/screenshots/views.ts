/**
 * Every view of the site in every state, and how it is reached.
 */
import { setTimeout } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { type ProblemCode, problems } from '../../src/problems.ts';
import { springSaleId } from '../../src/sandbox/demo-campaigns.ts';
import { liveNow, liveStates, statusOf } from './live-states.ts';

type Step = (page: Page) => unknown;

export interface View {
  readonly view: string;
  readonly state: string;
  readonly path: string;
  /** Runs before the page is opened. */
  readonly prepare?: Step;
  /** Resolves when the view is in its state. */
  readonly ready: (page: Page) => Promise<unknown>;
  /** Whether only what is on the screen is pictured, not the whole page. */
  readonly isLong?: boolean;
  /** Name in docs/images, if the documentation shows it. */
  readonly image?: string;
}

const annualCatalogueId = String(Number(springSaleId) + 1);
const secondId = String(Number(springSaleId) - 1);
const spring = `#campaign?id=${springSaleId}`;
const comparison = `#compare?id=${springSaleId}&with=${annualCatalogueId}`;

const problem = (code: ProblemCode) => {
  const { status, title, detail } = problems[code];
  return {
    status,
    contentType: 'application/problem+json',
    ...(status === 503 ? { headers: { 'retry-after': '8' } } : {}),
    body: JSON.stringify({ type: `/problems/${code}`, title, status, detail, instance: 'a1b2c3d4' }),
  };
};
const busy = problem('upstream-busy');
const failed = problem('internal-error');
const unknownTeam = problem('unauthorized');
const unknownCampaign = problem('campaign-not-found');

/** Answers requests in place of Sendgate; never, if there is no answer. */
const answer =
  (target: RegExp, reply?: Parameters<Parameters<Parameters<Page['route']>[1]>[0]['fulfill']>[0]): Step =>
  (page) =>
    page.route(target, (route) => (reply ? route.fulfill(reply) : undefined));

const data = /\/campaigns(?:[/?]|$)/;
const noRows = {
  headers: { 'cache-status': 'sendgate; fwd=uri-miss; fwd-status=200; stored' },
  json: { meta: { pagination: {} }, results: [] },
};

const text = (pattern: RegExp | string) => (page: Page) =>
  page.getByText(pattern).filter({ visible: true }).first().waitFor();
const heading = (name: string) => (page: Page) =>
  page.getByRole('heading', { name }).filter({ visible: true }).waitFor();

async function countsLoaded(page: Page): Promise<void> {
  await page.getByText(/^All \d+ campaigns\.$/).waitFor();
  await page.waitForFunction(() =>
    [...document.querySelectorAll('#campaigns-rows td')].every(
      (cell) => cell.textContent !== '…' || cell.getBoundingClientRect().top > innerHeight,
    ),
  );
}

const manyCampaigns = Array.from({ length: 2_000 }, (_, n) => ({
  id: String(1_100_394_165_000 + n),
  name: `${n % 3 === 0 ? 'A campaign with a name that its author did not keep short, for reasons of search ' : 'Newsletter '}${n}`,
  status: ['SENT', 'DRAFT', 'SCHEDULED', 'RUNNING', 'ERROR'][n % 5],
  modified_date: '2026-01-31T10:00:00.000Z',
  last_run_date: '',
}));

const inCampaigns = { view: 'campaigns', path: '/' };
const campaigns: readonly View[] = [
  { ...inCampaigns, state: 'loading', prepare: answer(data), ready: text(/^Loading/) },
  { ...inCampaigns, state: 'empty', prepare: answer(data, noRows), ready: text(/no campaign|0 campaigns/i) },
  {
    ...inCampaigns,
    state: 'error',
    prepare: answer(data, busy),
    ready: heading('Constant Contact is unavailable'),
  },
  { ...inCampaigns, state: 'token', prepare: answer(data, unknownTeam), ready: heading('Unknown team') },
  { ...inCampaigns, state: 'full', ready: countsLoaded, isLong: true, image: 'campaigns' },
  {
    view: 'campaigns',
    state: 'choice',
    path: `/#campaigns?compare=${springSaleId}`,
    ready: countsLoaded,
    isLong: true,
  },
  {
    ...{ ...inCampaigns, state: 'huge', isLong: true, ready: text(/^[\d,]+ campaigns|All [\d,]+ campaigns/) },
    prepare: answer(/\/campaigns(?:\?|$)/, { json: { meta: { pagination: {} }, results: manyCampaigns } }),
  },
];

const inCampaign = { view: 'campaign', path: `/${spring}` };
const oneCampaign: readonly View[] = [
  { ...inCampaign, state: 'loading', prepare: answer(data), ready: text(/^Loading/) },
  {
    ...{ view: 'campaign', state: 'empty', path: `/${spring}&report=forwards` },
    ...{ prepare: answer(/\/forwards/, noRows), ready: text(/no forwards|0 (of \d+ )?forwards/i) },
  },
  {
    ...{ ...inCampaign, state: 'error' },
    ...{ prepare: answer(data, unknownCampaign), ready: heading('Campaign not found') },
  },
  { ...inCampaign, state: 'full', ready: text(/^500 of [\d,]+ sends\.$/) },
  { view: 'campaign', state: 'links', path: `/${spring}&report=links`, ready: text(/links with/) },
  {
    ...{ view: 'campaign', state: 'huge', path: `/#campaign?id=${annualCatalogueId}&report=opens` },
    ready: wholeReport,
  },
];

const report: readonly View[] = [
  {
    ...{ view: 'report', state: 'error', path: `/${spring}&report=clicks` },
    ...{ prepare: answer(/\/clicks/, busy), ready: heading('Constant Contact is unavailable') },
  },
  { view: 'report', state: 'full', path: `/${spring}&report=opens`, ready: wholeReport, image: 'campaign' },
  {
    ...{ view: 'report', state: 'search', path: `/${spring}&report=bounces` },
    ready: async (page) => {
      await text(/bounces\.$/)(page);
      await page.getByLabel('Search loaded rows').fill('mailbox full');
      await text(/loaded rows\.$/)(page);
    },
  },
  { view: 'report', state: 'link', path: `/${spring}&report=clicks&link=2`, ready: text(/on this link/) },
  { view: 'report', state: 'bounces', path: `/${spring}&report=bounces`, ready: text(/bounces\.$/) },
  {
    ...{ view: 'report', state: 'since', path: `/${spring}&report=clicks&since=2030-01-01` },
    ready: text(/no clicks|0 clicks/i),
  },
];

async function wholeReport(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Chart the whole report' }).click();
  const timeout = 120_000;
  await page
    .getByText(/^(All|The newest) [\d,]+ (of [\d,]+ )?opens/)
    .first()
    .waitFor({ timeout });
  await page.locator('#walk-progress').waitFor({ state: 'hidden', timeout });
}

const inComparison = { view: 'comparison', path: `/${comparison}` };
const compared: readonly View[] = [
  { ...inComparison, state: 'loading', prepare: answer(data), ready: text(/^Loading/) },
  {
    ...{ ...inComparison, state: 'error' },
    ...{ prepare: answer(new RegExp(annualCatalogueId), unknownCampaign), ready: heading('Campaign not found') },
  },
  { ...inComparison, state: 'full', ready: text('Annual catalogue') },
  {
    ...{ view: 'comparison', state: 'new', path: `/#compare?id=${springSaleId}&with=${secondId}` },
    ready: text('Weekend newsletter'),
  },
];

const stepSeconds = 6;
const liveAnswers = /\/status$/;

/** A live view whose page has polled thirty times, on a clock that the picture moves. */
function polled(state: string): Required<Pick<View, 'prepare' | 'ready'>> {
  const { teams = [], upstream = {} } = liveStates[state] ?? {};
  let polls = 0;
  return {
    prepare: async (page) => {
      polls = 0;
      await page.clock.install({ time: liveNow });
      await page.route(liveAnswers, (route) =>
        route.fulfill({ json: statusOf(teams, upstream, stepSeconds * polls++) }),
      );
    },
    ready: async (page) => {
      while (polls < 30) {
        const before = polls;
        await page.clock.fastForward(stepSeconds * 1_000);
        for (let tries = 0; polls === before && tries < 100; tries++) await setTimeout(10);
      }
    },
  };
}

const inLive = { view: 'live', path: '/#live' };
const cutOff = polled('full');
const live: readonly View[] = [
  { ...inLive, state: 'loading', prepare: answer(liveAnswers), ready: text(/^Loading/) },
  { ...inLive, state: 'error', prepare: answer(liveAnswers, failed), ready: heading('Internal error') },
  { ...inLive, state: 'token', prepare: answer(liveAnswers, unknownTeam), ready: heading('Unknown team') },
  {
    ...{ ...inLive, state: 'disconnected', ...cutOff },
    ready: async (page) => {
      await cutOff.ready(page);
      await page.route(liveAnswers, (route) => route.abort());
      await heading('Sendgate cannot be reached')(page);
    },
  },
  ...Object.keys(liveStates).map((state) => ({
    ...{ ...inLive, state, ...polled(state) },
    ...(state === 'full' ? { image: 'live' } : {}),
  })),
];

const explained = [
  'invalid-request',
  'unauthorized',
  'rate-limited',
  'upstream-quota-exhausted',
  'campaign-not-found',
] as const;
const reference: readonly View[] = [
  {
    ...{ view: 'docs', state: 'loading', path: '/docs', prepare: answer(/openapi\.json$/) },
    ready: (page) => page.waitForTimeout(500),
  },
  { view: 'docs', state: 'full', path: '/docs', ready: text('A page of the sends of a campaign') },
  {
    ...{ view: 'docs', state: 'operation', path: '/docs', isLong: true },
    ready: async (page) => {
      await page.getByText('A page of the sends of a campaign').click();
      await page.getByRole('button', { name: 'Try it out' }).click();
      await page.getByPlaceholder('id').first().fill('1100394165287');
      await page.getByRole('button', { name: 'Execute' }).click();
      await page.getByText('Response headers').first().waitFor();
      await page.getByText('Snippets').first().scrollIntoViewIfNeeded();
    },
  },
  ...explained.map((code) => ({
    ...{ view: 'problem', state: code, path: `/problems/${code}` },
    ready: (page: Page) => page.getByRole('heading').first().waitFor(),
  })),
];

export const views: readonly View[] = [...campaigns, ...oneCampaign, ...report, ...compared, ...live, ...reference];
