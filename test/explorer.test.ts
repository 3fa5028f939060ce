/**
 * The explorer, as people meet it: in a real browser, with a mouse or without, in light and in dark.
 */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { explorer, focused, tabTo, violations } from './support/explorer.ts';

const it = explorer();
const rows = (page: Page) => page.locator('#rows tr');
/** Problems in sight. */
const alerts = (page: Page) => page.getByRole('alert').filter({ visible: true });
const scrollDown = (page: Page) => page.locator('#scroll').evaluate((element) => element.scrollTo(0, 1_000_000));

async function openById(page: Page, id: string): Promise<void> {
  await page.getByRole('link', { name: 'Campaigns', exact: true }).click();
  await page.getByLabel('Campaign id').fill(id);
  await page.getByRole('button', { name: 'Open' }).click();
}

describe('an error', () => {
  test('for an unknown campaign says so once, and links to what to do', async () => {
    const page = await it.open('/#campaign?id=404');
    await page.getByRole('heading', { name: 'Campaign not found' }).waitFor();
    await page.locator('#campaign-view:not([aria-busy])').waitFor();
    expect(await alerts(page).count()).toBe(1);
    // It would only say the same again.
    expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0);
    await page.getByRole('link', { name: 'Back to all campaigns' }).click();
    await page.getByRole('heading', { name: 'Campaigns', exact: true }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Campaign not found' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('link', { name: 'What to do' }).click();
    await page.getByRole('heading', { name: 'What to do' }).waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test('for an invalid request names each mistake', async () => {
    const page = await it.open('/#campaign?id=abc');
    await alerts(page).getByText('The id is not a campaign id. Allowed: 1 to 20 digits, such as').waitFor();
    expect(await alerts(page).getByText('`').count()).toBe(0);
    expect(await alerts(page).getByRole('button').count()).toBe(0);
    expect(await violations(page)).toEqual([]);
  });

  test('for too many requests counts down', async () => {
    const env = { SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '5' };
    const page = await it.open('/#campaign?id=1', { env, campaigns: [{ size: 3 }] });
    await page.getByText('All 3 sends.').waitFor();
    await page.getByRole('tab', { name: 'Opens' }).click();
    await page.getByText('1 open.').waitFor();
    await page.getByRole('tab', { name: 'Clicks' }).click();
    await page.getByRole('heading', { name: 'Too many requests' }).waitFor();
    await page.getByText(/^It may work in [1-5]?\d s\.$/).waitFor();
    expect(await alerts(page).getByText('Retry-After').count()).toBe(0);
    it.sendgate.clock.forward(61);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('No clicks.').waitFor();
    expect(await alerts(page).count()).toBe(0);
  });

  test('for a spent quota says when it resets', async () => {
    const env = { SENDGATE_QUOTA_PER_DAY: '1', SENDGATE_QUOTA_RESERVE: '0' };
    const page = await it.open('/#campaign?id=1', { env, campaigns: [{ size: 3 }] });
    await page.getByRole('heading', { name: 'Daily quota spent' }).first().waitFor();
    await page
      .getByText(/^It may work in [\d,]+ s\.$/)
      .first()
      .waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test('for a lost connection keeps the rows, and a retry continues', async () => {
    const page = await it.open('/#campaign?id=1', { campaigns: [{ size: 1_000 }] });
    await page.getByText('500 of 1,000 sends.').waitFor();
    await it.context.setOffline(true);
    await scrollDown(page);
    await page.getByRole('heading', { name: 'Sendgate cannot be reached' }).waitFor();
    expect(await rows(page).count()).toBeGreaterThan(10);
    await it.context.setOffline(false);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('All 1,000 sends.').waitFor();
  });

  test('about what a campaign is does not hide its rows', async () => {
    const prepare = (page: Page) => page.route(/campaigns\/1$/, (route) => route.fulfill({ status: 502, body: 'no' }));
    const page = await it.open('/#campaign?id=1', { campaigns: [{ size: 3, name: 'Spring sale' }], prepare });
    await page.getByText('All 3 sends.').waitFor();
    await alerts(page).waitFor();
    await page.unroute(/campaigns\/1$/);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('heading', { name: 'Spring sale' }).waitFor();
    await page.getByText('All 3 sends.').waitFor();
  });

  test('of the live view can be tried again', async () => {
    const page = await it.open('/#live', { prepare: (page) => page.route(/\/status$/, (route) => route.abort()) });
    await page.getByRole('heading', { name: 'Sendgate cannot be reached' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.unroute(/\/status$/);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('answers', { exact: true }).waitFor();
    expect(await alerts(page).count()).toBe(0);
  });
});

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
    await page.locator('#tiles').getByText('37.5 % of sent').waitFor();
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
    await page.getByRole('link', { name: 'Live' }).click();
    await page.getByRole('cell', { name: 'default' }).waitFor();
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
    await alerts(page).getByText('Enter your team’s token at the top of the page, then press Enter.').waitFor();
    await page.getByLabel('Team token').fill('wrong');
    const hint = page.getByText('Enter applies it.');
    expect(await hint.evaluate((element) => getComputedStyle(element).clipPath)).toBe('none');
    await page.keyboard.press('Enter');
    await alerts(page).getByText('This token belongs to no team.').waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByLabel('Team token').fill('test');
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
    await page.getByText('75.0 %').first().waitFor();
    expect(await page.locator('#spent').textContent()).toBe('1');
    expect(await page.locator('#left').textContent()).toBe('9,999');
    expect(await page.locator('#upstream').textContent()).toBe('answers');
    const cells = await page.locator('#teams tr').first().locator('th, td').allTextContents();
    expect(cells.slice(0, 7)).toEqual(['default', '4', '75.0 %', '1', '10,000', '0', '9,999']);
    for (const name of ['rate', 'ratio', 'shares', 'waits']) await page.locator(`#${name}-chart canvas`).waitFor();
    await page.getByText(/^\d\.\d of 1,000$/).waitFor();
  });

  test('skips to the content of the view that is shown', async () => {
    const page = await it.open('/#live');
    await page.getByRole('cell', { name: 'default' }).waitFor();
    await tabTo(page, 'Skip to content');
    await page.keyboard.press('Enter');
    expect(await focused(page)).toBe('main');
    expect(page.url()).toBe(`${it.sendgate.url}/#live`);
    expect(await page.getByRole('heading', { name: 'Right now' }).isVisible()).toBe(true);
  });

  test('gets the API reference, made from openapi.json', async () => {
    const page = await it.open('/docs');
    await page.getByText('All sends of a campaign, as CSV', { exact: true }).waitFor();
    await page.getByText('A page of the sends of a campaign', { exact: true }).click();
    await page.getByText('Only rows on or after this instant.').waitFor();
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
