/**
 * The explorer, as people meet it: in a real browser, with a mouse or without, in light and in dark.
 */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { createRequire } from 'node:module';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import type { Campaign } from '../src/sandbox/campaign.ts';
import { launch } from './support/browser.ts';
import { type Environment, type Harness, start } from './support/harness.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const dayMs = 86_400_000;
let browser: Browser;
let it: Harness;
let context: BrowserContext;
/** What must stay empty: errors of scripts, reports of the policy, requests to anywhere else. */
let complaints: string[];

beforeAll(async () => {
  browser = await launch();
}, 60_000);
afterAll(() => browser?.close());
afterEach(async () => {
  await context?.close();
  await it?.close();
  expect(complaints).toEqual([]);
});

async function open(path = '/', env: Environment = {}, options: BrowserContextOptions = {}): Promise<Page> {
  it = await start(env);
  complaints = [];
  context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // A browser tells of every answer that is an error; those are asked for here.
    if (message.type() === 'error' && !/status of (4|5)\d\d|ERR_/.test(message.text())) complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(it.url) && !request.url().startsWith('blob:')) complaints.push(request.url());
  });
  await page.exposeFunction('complain', (text: string) => complaints.push(text));
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      (globalThis as unknown as { complain(text: string): void }).complain(`${violatedDirective} ${blockedURI}`);
    });
  });
  await page.goto(`${it.url}${path}`);
  return page;
}

const campaign = (id: string, size: number): Campaign =>
  it.sandbox.campaign({ id, size, newestMs: Date.now() - 30 * dayMs });

async function show(page: Page, id: string): Promise<void> {
  await page.getByLabel('Campaign id').fill(id);
  await page.getByRole('button', { name: 'Show' }).click();
}

const rows = (page: Page) => page.locator('#rows tr');
const alert = (page: Page) => page.locator('#problem');
/** Rules that axe finds broken. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { run } = (
      globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }
    ).axe;
    return (await run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
}

describe('a campaign', () => {
  test('is shown page by page as the table is scrolled, down to the last send', async () => {
    const page = await open();
    const truth = campaign('1', 1_234);
    await show(page, '1');
    await rows(page).nth(499).waitFor();
    await page.getByText('The newest 500 sends are shown.').waitFor();
    expect(await rows(page).count()).toBe(500);
    expect(await page.locator('#outcome').textContent()).toBe('Fresh from Constant Contact.');
    expect(await page.locator('#curl').textContent()).toBe(`curl '${it.url}/campaigns/1/sends'`);
    expect(await page.locator('#hours').textContent()).toMatch(/^Sends by hour, of those shown: \d+ hours?, most at /);
    for (const count of [1_000, 1_234]) {
      await page.locator('#scroll').evaluate((element) => element.scrollTo(0, element.scrollHeight));
      await rows(page)
        .nth(count - 1)
        .waitFor();
    }
    await page.getByText('All 1,234 sends are shown.').waitFor();
    const shown = await page.locator('#rows td:nth-child(2)').allTextContents();
    expect(shown).toEqual(Array.from({ length: 1_234 }, (_, index) => truth.at(index).email));
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText(/^From the cache, fresh for another (24 hours|1 day|\d+ \w+)\./).waitFor();
  });

  test('with odd rows is shown too', async () => {
    const page = await open();
    it.sandbox.campaign({
      ...{ id: '1', size: 3, newestMs: Date.now() - 30 * dayMs },
      odd: { 0: 'null-date', 1: 'no-address', 2: 'null-contact' },
    });
    it.sandbox.campaign({ id: '2', size: 1, newestMs: Date.now(), odd: { 0: 'numeric-date' } });
    await show(page, '1');
    await page.getByText('All 3 sends are shown.').waitFor();
    const cells = (await rows(page).locator('td').allTextContents()).map((text) => text === '–');
    expect(cells).toEqual([true, false, false, false, true, false, false, false, true]);
    await page.getByText(/^Sends by hour, of those shown: 1 hour, most at .*\(2\)$/).waitFor();
    await show(page, '2');
    await page.getByText('No sends with a date.').waitFor();
  });

  test('can be shown from a day on', async () => {
    const page = await open();
    const truth = it.sandbox.campaign({ id: '1', size: 300, newestMs: Date.now() - 30 * dayMs, spacingMs: 3_600_000 });
    const day = new Date(truth.at(100).atMs).toISOString().slice(0, 10);
    await page.getByLabel('Sent on or after').fill(day);
    await show(page, '1');
    const count = truth.countSince(Date.parse(day));
    await page.getByText(`All ${count} sends are shown.`).waitFor();
    // The address says it all: a colleague who opens it sees the same.
    const copy = await context.newPage();
    await copy.goto(page.url());
    await copy.getByText(`All ${count} sends are shown.`).waitFor();
  });

  test.each(['csv', 'ndjson'] as const)('is exported as %s, complete, with its progress', async (format) => {
    const page = await open();
    const truth = campaign('1', 4_321);
    await show(page, '1');
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: `Export as ${format.toUpperCase()}` }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe(`campaign-1-sends.${format}`);
    const text = readFileSync(await download.path(), 'utf8');
    const lines = text
      .trimEnd()
      .split('\n')
      .slice(format === 'csv' ? 1 : 0);
    const emails = lines.map((line) => (format === 'csv' ? line.split(',')[3] : JSON.parse(line).email_address));
    expect(emails).toEqual(Array.from({ length: 4_321 }, (_, index) => truth.at(index).email));
    await page.getByText('Saved: 4,321 sends.').waitFor();
  });

  test('shows the progress of an export, can cancel it, and saves no incomplete file', async () => {
    const page = await open('/', { SENDGATE_QUOTA_PER_SECOND: '5', SENDGATE_EXPORTS_PATIENCE_SECONDS: '1' });
    campaign('1', 50_000);
    await show(page, '1');
    await rows(page).first().waitFor();
    let downloads = 0;
    page.on('download', () => downloads++);
    await page.getByRole('button', { name: 'Export as NDJSON' }).click();
    await page.getByText(/^\d,\d00 of 50,000 sends$/).waitFor();
    const bar = page.locator('#export-progress');
    expect(await bar.getAttribute('max')).toBe('50000');
    expect(Number(await bar.getAttribute('value'))).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Cancelled: nothing was saved.').waitFor();
    await page.getByRole('button', { name: 'Export as CSV' }).click();
    await page.getByText(/of 50,000 sends$/).waitFor();
    it.sandbox.fault({ kind: 'status', status: 500 });
    await page.getByRole('heading', { name: 'Sendgate cannot be reached' }).waitFor();
    expect(downloads).toBe(0);
  });
});

describe('an error', () => {
  test('for an unknown campaign says so, and links to what to do', async () => {
    const page = await open();
    await show(page, '404');
    await page.getByRole('heading', { name: 'Campaign not found' }).waitFor();
    await page.getByRole('link', { name: 'What to do' }).click();
    await page.getByRole('heading', { name: 'What to do' }).waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test('for an invalid request names each mistake', async () => {
    const page = await open();
    await show(page, 'abc');
    await page.getByText('id is not a campaign id; allowed: 1 to 20 digits').waitFor();
  });

  test('for too many requests counts down', async () => {
    const page = await open('/', { SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1' });
    campaign('1', 3);
    await show(page, '1');
    await rows(page).nth(2).waitFor();
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByRole('heading', { name: 'Too many requests' }).waitFor();
    await page.getByText(/^It may work in [1-5]?\d s\.$/).waitFor();
    it.clock.forward(61);
    await page.getByRole('button', { name: 'Try again' }).click();
    await rows(page).nth(2).waitFor();
    expect(await alert(page).isVisible()).toBe(false);
  });

  test('for a spent quota says when it resets', async () => {
    const page = await open('/', { SENDGATE_QUOTA_PER_DAY: '1', SENDGATE_QUOTA_RESERVE: '0' });
    campaign('1', 3);
    campaign('2', 3);
    await show(page, '1');
    await rows(page).nth(2).waitFor();
    await show(page, '2');
    await page.getByRole('heading', { name: 'Daily quota spent' }).waitFor();
    await page.getByText(/^It may work in [\d,]+ s\.$/).waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test('for a lost connection keeps the rows, and a retry continues', async () => {
    const page = await open();
    campaign('1', 1_000);
    await show(page, '1');
    await rows(page).nth(499).waitFor();
    await context.setOffline(true);
    await page.locator('#scroll').evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await page.getByRole('heading', { name: 'Sendgate cannot be reached' }).waitFor();
    expect(await rows(page).count()).toBe(500);
    await context.setOffline(false);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('All 1,000 sends are shown.').waitFor();
  });
});

describe('a visitor', () => {
  test('can use it with the keyboard alone', async () => {
    const page = await open();
    campaign('1', 700);
    const press = (key: string) => page.keyboard.press(key);
    const focused = () =>
      page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.id);
    const tabTo = async (what: string) => {
      for (let tries = 0; (await focused()) !== what; tries++) {
        if (tries > 30) throw new Error(`the keyboard does not reach ${what}`);
        await press('Tab');
      }
    };
    await press('Tab');
    expect(await focused()).toBe('Skip to content');
    await tabTo('campaign');
    await page.keyboard.type('1');
    await press('Enter');
    await rows(page).nth(499).waitFor();
    await tabTo('Export as CSV');
    const downloading = page.waitForEvent('download');
    await press('Enter');
    expect((await downloading).suggestedFilename()).toBe('campaign-1-sends.csv');
    await page.getByText('Saved: 700 sends.').waitFor();
    for (let tries = 0; !(await page.evaluate(() => document.activeElement?.id === 'scroll')); tries++) {
      expect(tries).toBeLessThan(30);
      await press('Tab');
    }
    await press('End');
    await page.getByText('All 700 sends are shown.').waitFor();
    await press('Shift+Tab');
    for (let tries = 0; (await focused()) !== 'Live'; tries++) {
      expect(tries).toBeLessThan(40);
      await press('Shift+Tab');
    }
    await press('Enter');
    await page.getByRole('heading', { name: 'Right now' }).waitFor();
  });

  test.each(['light', 'dark'] as const)('can read it (axe, %s)', async (colorScheme) => {
    const page = await open('/', {}, { colorScheme });
    campaign('1', 700);
    expect(await violations(page)).toEqual([]);
    await show(page, '1');
    await rows(page).nth(499).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('link', { name: 'Live' }).click();
    await page.getByRole('cell', { name: 'default' }).waitFor();
    expect(await violations(page)).toEqual([]);
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(background).toBe(colorScheme === 'dark' ? 'rgb(18, 22, 29)' : 'rgb(255, 255, 255)');
  });

  test('with a token can use it where tokens are required', async () => {
    const digest = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'; // of "test"
    const page = await open('/', {
      SENDGATE_CALLERS_REQUIRED: 'true',
      SENDGATE_TEAMS: JSON.stringify([{ name: 'web', tokensSha256: [digest] }]),
    });
    campaign('1', 3);
    await show(page, '1');
    await page.getByRole('heading', { name: 'Unknown team' }).waitFor();
    await page.getByLabel('Team token').fill('test');
    await page.getByRole('button', { name: 'Show' }).click();
    await rows(page).nth(2).waitFor();
    expect(page.url()).not.toContain('test');
    await page.getByRole('button', { name: 'Export as CSV' }).click();
    await page.getByText('Saved: 3 sends.').waitFor();
  });

  test('sees live figures', async () => {
    const page = await open('/#live');
    campaign('1', 3);
    for (let n = 0; n < 4; n++) await it.get('/campaigns/1/sends');
    await page.getByText('75.0 %').first().waitFor();
    expect(await page.locator('#spent').textContent()).toBe('1');
    expect(await page.locator('#left').textContent()).toBe('9,999');
    expect(await page.locator('#upstream').textContent()).toBe('answers');
    const cells = await page.locator('#teams tr').first().locator('th, td').allTextContents();
    expect(cells.slice(0, 7)).toEqual(['default', '4', '75.0 %', '1', '10,000', '0', '9,999']);
    for (const name of ['rate', 'ratio', 'shares', 'waits']) await page.locator(`#${name}-chart canvas`).waitFor();
    await page.getByText(/^\d\.\d of 1,000$/).waitFor();
  });

  test('gets the API reference, made from openapi.json', async () => {
    const page = await open('/docs');
    await page.getByText('All sends of a campaign, as CSV', { exact: true }).waitFor();
    await page.getByText('A page of the sends of a campaign', { exact: true }).click();
    await page.getByText('Only rows on or after this instant.').waitFor();
  });

  test('finds all pages under a base path', async () => {
    const page = await open('/ctct', { SENDGATE_SERVER_BASE_PATH: '/ctct' });
    campaign('1', 700);
    expect(page.url()).toBe(`${it.url}/ctct/`);
    await show(page, '1');
    await rows(page).nth(499).waitFor();
    await page.locator('#scroll').evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await page.getByText('All 700 sends are shown.').waitFor();
    await page.getByRole('link', { name: 'API' }).click();
    await page.getByText('A page of the sends of a campaign', { exact: true }).waitFor();
  });
});

test('the explorer can be linked from any site, and framed by none', async () => {
  const page = await open();
  const asFrom = (site: string, path: string) =>
    fetch(`${it.url}${path}`, {
      headers: { 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    });
  expect((await asFrom('cross-site', '/')).status).toBe(200);
  expect((await asFrom('cross-site', '/problems/rate-limited')).status).toBe(200);
  expect((await asFrom('cross-site', '/status')).status).toBe(403);
  const policy = (await asFrom('none', '/')).headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none';script-src 'self';style-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe');
  const status = await new Promise((resolve) => {
    get(`${it.url}/`, { headers: { host: 'evil.example' } }, (answer) => resolve(answer.resume().statusCode));
  });
  expect(status).toBe(421);
  await page.close();
});
