/**
 * The explorer, as people meet it: in a real browser, with a mouse or without, in light and in dark.
 */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { alerts, explorer, focused, scrollDown, tabTo, violations } from './support/explorer.ts';
import { until } from './support/harness.ts';

const it = explorer();

async function openById(page: Page, id: string): Promise<void> {
  await page.getByRole('link', { name: 'Campaigns', exact: true }).click();
  await page.getByLabel('Campaign id').fill(id);
  await page.getByRole('button', { name: 'Open' }).click();
}

const campaigns = [
  { name: 'Weekend newsletter', size: 900 },
  { name: 'Spring sale', size: 20_000 },
  { name: 'Autumn catalogue', size: 900 },
];

describe('a visitor', () => {
  test('keeps the focus when more is loaded, and when something is tried again', async () => {
    const page = await it.open('/#campaign?id=2', { campaigns });
    const more = page.getByRole('button', { name: 'Load more' });
    await page.getByText('500 of 20,000 sends.').waitFor();
    await more.focus();
    await page.keyboard.press('Enter');
    await page.getByText('1,000 of 20,000 sends.').waitFor();
    expect(await focused(page)).toBe('more');
    await it.context.setOffline(true);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Try again' }).focus();
    // In vain: it can be pressed once more.
    const hasFailed = page.waitForEvent('requestfailed');
    await page.keyboard.press('Enter');
    await hasFailed;
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    await until(async () => (await focused(page)) === 'Try again', 'it has the focus again');
    await it.context.setOffline(false);
    await page.keyboard.press('Enter');
    await page.getByText('1,500 of 20,000 sends.').waitFor();
    expect(await focused(page)).toBe('main');
  });

  test('finds a campaign, sees its funnel, opens its clicks and exports its bounces, by keyboard', async () => {
    const page = await it.open('/', { campaigns });
    const press = (key: string) => page.keyboard.press(key);
    await page.getByText('All 3 campaigns.').waitFor();
    await press('Tab');
    expect(await focused(page)).toBe('Skip to content');
    await tabTo(page, 'query');
    await page.keyboard.type('spring sale');
    await page.getByText('1 of 3 campaigns.').waitFor();
    await tabTo(page, 'Spring sale');
    await press('Enter');
    await page.locator('#tiles').getByText('20,000').waitFor();
    await page.locator('#tiles').getByText('37.5% of sent').waitFor();
    expect(await focused(page)).toBe('campaign-title');
    await tabTo(page, 'tab-sends');
    for (const [key, tab] of [
      ['End', 'tab-links'],
      ['ArrowRight', 'tab-sends'],
      ['ArrowLeft', 'tab-links'],
      ['Home', 'tab-sends'],
      ['ArrowRight', 'tab-opens'],
      ['ArrowRight', 'tab-clicks'],
    ] as const) {
      await press(key);
      expect(await focused(page)).toBe(tab);
    }
    await press('Enter');
    await page.getByText('The newest 500 clicks.').waitFor();
    await tabTo(page, 'scroll');
    await press('End');
    await page.getByText('The newest 1,000 clicks.').waitFor();
    await tabTo(page, 'tab-clicks', 'Shift+Tab');
    await press('ArrowRight');
    await press('Space');
    await page.getByText('500 of 625 bounces.').waitFor();
    await tabTo(page, 'Export as CSV');
    const downloading = page.waitForEvent('download');
    await press('Enter');
    const download = await downloading;
    expect(download.suggestedFilename()).toBe('campaign-2-bounces.csv');
    const [head, ...lines] = readFileSync(await download.path(), 'utf8')
      .trimEnd()
      .split('\n');
    expect(head).toContain('bounce_code');
    expect(lines.length).toBe(625);
    await page.getByText('Saved campaign-2-bounces.csv: 625 bounces.').waitFor();
    await tabTo(page, 'Live', 'Shift+Tab');
    await press('Enter');
    await page.getByRole('heading', { name: 'Right now' }).waitFor();
  });

  test.each([
    ['light', 1_100],
    ['dark', 1_100],
    ['light', 390],
    ['dark', 390],
  ] as const)('can read every view (axe, %s, %d pixels wide)', async (colorScheme, width) => {
    const browser = { colorScheme, viewport: { width, height: 800 } };
    const page = await it.open('/', { campaigns, browser });
    const isReadable = async () => {
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    };
    await page.getByText('20,000').waitFor();
    await isReadable();
    await page.getByRole('link', { name: 'Spring sale' }).click();
    await page.getByText('500 of 20,000 sends.').waitFor();
    await isReadable();
    for (const [tab, text] of [
      ['Bounces', '500 of 625 bounces.'],
      ['Links', '4 links with 2,500 clicks. Choose one to see its clicks.'],
    ] as const) {
      await page.getByRole('tab', { name: tab }).click();
      await page.getByText(text).waitFor();
      await isReadable();
    }
    await page.goto(`${it.sendgate.url}/#compare?id=2&with=1`);
    await page.getByText('+19,100').waitFor();
    await isReadable();
    await page.getByRole('link', { name: 'Live' }).click();
    await page.getByRole('rowheader', { name: 'default' }).first().waitFor();
    await isReadable();
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(background).toBe(colorScheme === 'dark' ? 'rgb(18, 22, 29)' : 'rgb(255, 255, 255)');
  });

  test('with a token can use it where tokens are required', async () => {
    const digest = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'; // of "test"
    const env = {
      SENDGATE_CALLERS_REQUIRED: 'true',
      SENDGATE_TEAMS: JSON.stringify([{ name: 'web', tokensSha256: [digest] }]),
    };
    const page = await it.open('/', { env, campaigns });
    await page.getByRole('heading', { name: 'Unknown team' }).waitFor();
    await alerts(page).getByText('Enter your team’s token.').waitFor();
    const field = page.getByLabel('Your team’s token').filter({ visible: true });
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.type('wrong');
    await page.keyboard.press('Enter');
    await alerts(page).getByText('This token belongs to no team. Enter another one.').waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
    // The field at the top is for a team that has a token where none is required.
    await page.getByLabel('Team token').fill(' Bearer test ');
    const hint = page.getByText('Enter applies it, for this tab.');
    expect(await hint.evaluate((element) => getComputedStyle(element).clipPath)).toBe('none');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Spring sale' }).click();
    await page.getByText('500 of 20,000 sends.').waitFor();
    expect(page.url()).not.toContain('test');
    expect(await page.locator('#report-command code').textContent()).toContain("-H 'Authorization: Bearer …'");
    await page.locator('#report-command').getByText('Put your token in place of the dots.').waitFor();
    await page.getByRole('tab', { name: 'Bounces' }).click();
    await page.getByText('500 of 625 bounces.').waitFor();
    await page.getByRole('button', { name: 'Export as CSV' }).click();
    await page.getByText('Saved campaign-2-bounces.csv: 625 bounces.').waitFor();
    // It is the tab's: another has none.
    await page.reload();
    await page.getByText('500 of 625 bounces.').waitFor();
    expect(await page.evaluate(() => Object.values(localStorage).join())).toBe('');
    const other = await it.context.newPage();
    await other.goto(page.url());
    await alerts(other).getByText('Enter your team’s token.').waitFor();
    await page.getByRole('button', { name: 'Forget token' }).click();
    await alerts(page).getByText('Enter your team’s token.').waitFor();
    expect(await page.evaluate(() => Object.values(sessionStorage).join())).toBe('');
    expect(await violations(page)).toEqual([]);
  });

  test('copies the request of what is shown', async () => {
    const page = await it.open('/#campaign?id=2', { campaigns, browser: { permissions: ['clipboard-write'] } });
    await page.getByText('500 of 20,000 sends.').waitFor();
    await scrollDown(page);
    await page.getByText('1,000 of 20,000 sends.').waitFor();
    await page.evaluate(() => {
      navigator.clipboard.writeText = async (text) => void Object.assign(globalThis, { copied: text });
    });
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => (globalThis as unknown as { copied: string }).copied);
    expect(copied).toBe(`curl '${it.sendgate.url}/campaigns/2/sends'`);
  });

  test('gets it selected where the browser lets no page copy', async () => {
    const page = await it.open('/', { campaigns });
    await page.getByText('All 3 campaigns.').waitFor();
    await page.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'));
    });
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('button', { name: 'Press Ctrl+C' }).waitFor();
    expect(await page.evaluate(() => getSelection()?.toString())).toBe(`curl '${it.sendgate.url}/campaigns'`);
  });

  test('sees live figures', async () => {
    const page = await it.open('/#live', { campaigns });
    for (let n = 0; n < 4; n++) await it.sendgate.get('/campaigns/1/sends');
    await page.getByText('75.0%').first().waitFor();
    expect(await page.locator('#spent').textContent()).toBe('1');
    expect(await page.locator('#left').textContent()).toBe('9,999');
    await page.getByText('Constant Contact Answers', { exact: true }).waitFor();
    await page.getByText('Too early for a forecast').waitFor();
    const cells = (table: string) => page.locator(`#${table} tr`).first().locator('th, td').allTextContents();
    expect(await cells('days')).toEqual(['default', 'In its share', '1', '10,000', '', '0', '–', '9,999']);
    expect((await cells('answers')).slice(0, 6)).toEqual(['default', '4', '75.0%', '0', '0', '0']);
    for (const name of ['rate', 'ratio', 'shares', 'waits']) await page.locator(`#${name}-chart canvas`).waitFor();
    await page.getByText(/^\d\.\d of 1,000$/).waitFor();
    // What no pointer hovers over is said, too.
    await page.getByText('429 counts requests over the limit a minute').waitFor();
    expect(await page.locator('#live-view [title]').filter({ visible: true }).count()).toBe(0);
  });

  test('skips to the content of the view that is shown', async () => {
    const page = await it.open('/#live');
    await page.getByRole('rowheader', { name: 'default' }).first().waitFor();
    await tabTo(page, 'Skip to content');
    await page.keyboard.press('Enter');
    expect(await focused(page)).toBe('main');
    expect(page.url()).toBe(`${it.sendgate.url}/#live`);
    expect(await page.getByRole('heading', { name: 'Right now' }).isVisible()).toBe(true);
  });

  test('finds all pages under a base path', async () => {
    const page = await it.open('/ctct', { env: { SENDGATE_SERVER_BASE_PATH: '/ctct' }, campaigns });
    await page.getByText('All 3 campaigns.').waitFor();
    expect(page.url()).toBe(`${it.sendgate.url}/ctct/`);
    await openById(page, '1');
    await page.getByText('500 of 900 sends.').waitFor();
    await scrollDown(page);
    await page.getByText('All 900 sends.').waitFor();
    await page.getByRole('link', { name: 'API' }).click();
    await page.getByText('A page of the sends of a campaign', { exact: true }).waitFor();
  });
});

test('HTML in the data is shown as text', async () => {
  const name = '<b>Sale</b> <img src="/x" onerror="throw 1">';
  const page = await it.open('/', { campaigns: [{ name, size: 1 }] });
  await page.getByRole('link', { name, exact: true }).click();
  await page.getByRole('heading', { name, exact: true }).waitFor();
  expect(await page.locator('main img, main b').count()).toBe(0);
});

test('the explorer can be linked from any site, and framed by none', async () => {
  const page = await it.open();
  const { url } = it.sendgate;
  const asFrom = (site: string, path: string) =>
    fetch(`${url}${path}`, {
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
    get(`${url}/`, { headers: { host: 'evil.example' } }, (answer) => resolve(answer.resume().statusCode));
  });
  expect(status).toBe(421);
  await page.close();
});
