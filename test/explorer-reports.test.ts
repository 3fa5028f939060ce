/**
 * A campaign in the explorer: its counts, its reports row by row and as a whole, its links.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { dayMs, explorer, focused, hold, scrollToRow, tabTo, violations } from './support/explorer.ts';
import { until } from './support/harness.ts';

const it = explorer();
const rows = (page: Page) => page.locator('#rows tr');
const column = (page: Page, kind: string) => page.locator(`#rows td.${kind}`).allTextContents();
const tab = (page: Page, name: string) => page.getByRole('tab', { name });
const address = (tab: string, more = '') => `/#campaign?id=1&report=${tab}${more}`;
const headings = (page: Page) => page.locator('#scroll th').allTextContents();
/** Texts of the rows that are not shown whole. */
const cut = (page: Page) =>
  page
    .locator('#scroll')
    .locator('th, td')
    .evaluateAll((all) =>
      all.filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth).map(({ textContent }) => textContent),
    );
const curl = (page: Page) => page.locator('#report-command code').textContent();

describe('a campaign', () => {
  test.each(['v2', 'v3'] as const)('says what it is, and its counts with rates (%s)', async (api) => {
    const campaign = {
      ...{ name: 'Spring sale', subject: 'Twenty per cent off', fromName: 'Greenleaf', fromEmail: 'news@example.com' },
      ...{ size: 2_000, newestMs: Date.parse('2026-03-04T05:06:07Z'), createdMs: Date.parse('2026-03-01T10:00:00Z') },
    };
    const browser = { timezoneId: 'Asia/Kolkata' };
    const page = await it.open(address('sends'), { api, browser, campaigns: [campaign] });
    await page.getByRole('heading', { name: 'Spring sale' }).waitFor();
    await page.getByText('All 2,000 sends.').or(page.getByText('500 of 2,000 sends.')).waitFor();
    const facts = await page.locator('#about div').allTextContents();
    expect(facts.slice(0, 5)).toEqual([
      'StatusSent',
      'SubjectTwenty per cent off',
      'FromGreenleaf <news@example.com>',
      'Last sent4 Mar 2026, 10:36 local time',
      'Created1 Mar 2026, 15:30 local time',
    ]);
    await page
      .getByText(
        /^Counts as of \d+ \w+ 20.* local time\. Opened and Clicked count each contact once\. \d+ spam reports\.$/,
      )
      .waitFor();
    expect(await page.locator('#tiles .tile').allInnerTexts()).toEqual([
      expect.stringMatching(/^Sent\s+2,000\s*$/),
      expect.stringMatching(/^Opened\s+750\s+37\.5% of sent$/),
      expect.stringMatching(/^Clicked\s+188\s+9\.4% of sent\s+25\.1% of opened$/),
      expect.stringMatching(/^Forwarded\s+7\s+0\.3% of sent$/),
      expect.stringMatching(/^Bounced\s+62\s+3\.1% of sent$/),
      expect.stringMatching(/^Unsubscribed\s+15\s+0\.8% of sent$/),
    ]);
    expect(await page.title()).toBe('Spring sale · Sends · Sendgate');
  });

  test('is compared with another, chosen by keyboard, and the address says so', async () => {
    const campaigns = [
      { name: 'Spring sale', size: 2_000, subject: 'Twenty per cent off' },
      { name: 'Autumn catalogue', size: 1_000 },
      { name: 'Harvest', status: 'DRAFT' as const },
    ];
    const page = await it.open(address('sends'), { campaigns });
    await page.getByText('500 of 2,000 sends.').waitFor();
    await tabTo(page, 'compare-start');
    await page.keyboard.press('Enter');
    await page.getByText('Choose a campaign to compare with Spring sale. Cancel').waitFor();
    expect(await focused(page)).toBe('campaigns-title');
    expect(await violations(page)).toEqual([]);
    await tabTo(page, 'Autumn catalogue');
    await page.keyboard.press('Enter');
    const lines = page.locator('#compare-rows tr');
    await lines.getByText('2,000').waitFor();
    await lines.getByText('1,000').first().waitFor();
    expect(page.url()).toBe(`${it.sendgate.url}/#compare?id=1&with=2`);
    expect(await page.title()).toBe('Spring sale and Autumn catalogue · Sendgate');
    expect(await focused(page)).toBe('compare-title');
    const texts = await lines.evaluateAll((all: HTMLTableRowElement[]) =>
      all.map(({ cells }) => [...cells].map(({ textContent }) => textContent).join(' | ')),
    );
    expect([...texts.slice(0, 7), texts.at(-1)]).toEqual([
      'Status | Sent | Sent | ',
      expect.stringMatching(/^Subject \| Twenty per cent off \| .+ \| $/),
      expect.stringMatching(/^Last sent or changed \(local time\)( \| \d+ \w+ 20\d\d, \d\d:\d\d){2} \| $/),
      expect.stringMatching(/^Counts as of \(local time\)( \| \d+ \w+ 20\d\d, \d\d:\d\d){2} \| $/),
      'Sent | 2,000 | 1,000 | +1,000',
      'Opened | 750 | 375 | +375',
      'of sent | 37.5% | 37.5% | 0.0 points',
      'of sent | 0.8% | 0.7% | +0.1 points',
    ]);
    await page.getByRole('link', { name: 'Swap the two' }).click();
    await lines.getByText('−1,000').waitFor();
    await page.reload();
    await lines.getByText('−1,000').waitFor();
    // One that has not gone out, then one that does not exist.
    await page.goto(`${it.sendgate.url}/#compare?id=1&with=3`);
    await lines.getByText('Draft').waitFor();
    await page.goto(`${it.sendgate.url}/#compare?id=1&with=..`);
    await page.getByText('The id is not a campaign id.').waitFor();
    await page.goto(`${it.sendgate.url}/#compare?id=1&with=404`);
    await page.getByText('Campaign 404:').waitFor();
    await page.getByRole('heading', { name: 'Campaign not found' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('link', { name: 'Choose another campaign' }).click();
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.getByRole('heading', { name: 'Spring sale' }).waitFor();
  });

  test('costs one call for what it is, its counts and its links, and one for a page', async () => {
    const page = await it.open(address('clicks'), { campaigns: [{ size: 2_000 }] });
    await page.getByText('All 250 clicks.').waitFor();
    await tab(page, 'Links').click();
    await page.getByText('4 links with 250 clicks.', { exact: false }).waitFor();
    expect(it.sendgate.sandbox.callCount).toBe(2);
  });
});

describe('a report', () => {
  test('is shown page by page as it is scrolled, down to the last row, with few rows in the page', async () => {
    const page = await it.open(address('sends'), { campaigns: [{ size: 1_234 }] });
    await page.getByText('500 of 1,234 sends.').waitFor();
    const time = /\d+ \w+ 20\d\d, \d\d:\d\d local time/.source;
    const said = page.locator('#outcome');
    expect(await said.textContent()).toMatch(new RegExp(`^Fresh from Constant Contact at ${time}\\.$`));
    // Instants, which are as true in a tab that is looked at tomorrow.
    await page.reload();
    await said.getByText(new RegExp(`^From the cache, fresh until ${time}\\. Fetched at ${time}\\.$`)).waitFor();
    await page.getByLabel('Times').selectOption('UTC');
    expect(await said.textContent()).toMatch(/ UTC\. Fetched at .* UTC\.$/);
    await page.getByLabel('Times').selectOption('Local time');
    const seen = new Map<number, string>();
    for (let row = 0; !seen.has(1_233); row = Math.min(row + 20, 1_233)) {
      let found: (readonly [number, string])[] = [];
      const isInPage = async () => {
        await scrollToRow(page, row);
        found = await page
          .locator('#rows tr')
          .evaluateAll((all: HTMLTableRowElement[]) =>
            all.map((tr) => [Number(tr.ariaRowIndex) - 2, tr.cells[0]?.textContent ?? ''] as const),
          );
        return found.some(([index]) => index === row);
      };
      await until(isInPage, `row ${row} is in the page`);
      expect(found.length).toBeLessThan(80);
      for (const [index, email] of found) seen.set(index, email);
    }
    await page.getByText('All 1,234 sends.').waitFor();
    const all = Array.from({ length: 1_234 }, (_, index) => index);
    expect([...seen.keys()].sort((a, b) => a - b)).toEqual(all);
    const { results } = await it.sendgate.page('/campaigns/1/sends');
    expect(all.slice(0, 500).map((index) => seen.get(index))).toEqual(results.map((row) => row.email_address));
    expect(await curl(page)).toBe(`curl '${it.sendgate.url}/campaigns/1/sends'`);
  });

  test.each([
    ['opens', ['Email address', 'Date (local time)', 'Contact']],
    ['clicks', ['Email address', 'Date (local time)', 'Link', 'Contact']],
    ['bounces', ['Email address', 'Date (local time)', 'Code', 'Description', 'Message', 'Contact']],
    ['forwards', ['Email address', 'Date (local time)', 'Contact']],
    ['unsubscribes', ['Email address', 'Date (local time)', 'Source', 'Reason', 'Contact']],
  ] as const)('has its own columns: %s', async (report, columns) => {
    const page = await it.open('/#campaign?id=1', { campaigns: [{ size: 2_560 }] });
    await tab(page, report).click();
    await page.getByText(new RegExp(`^(All|The newest) [\\d,]+ ${report}\\.$`)).waitFor();
    expect(await headings(page)).toEqual(columns);
    const { results } = await it.sendgate.page(`/campaigns/1/${report}`);
    expect((await column(page, 'address'))[0]).toBe(results[0]?.email_address);
    expect(page.url()).toBe(`${it.sendgate.url}${address(report)}`);
    expect(await violations(page)).toEqual([]);
    await page.goBack();
    await page.getByText('500 of 2,560 sends.').waitFor();
  });

  test.each([
    ['v2', 1_280],
    ['v3', 1_280],
    ['v3', 390],
  ] as const)('shows every text whole (%s, %d pixels wide)', async (api, width) => {
    const browser = { viewport: { width, height: 800 } };
    const page = await it.open('/#campaign?id=1', { api, browser, campaigns: [{ size: 2_560 }] });
    for (const report of ['sends', 'clicks', 'bounces', 'unsubscribes'] as const) {
      await tab(page, report).click();
      await page.getByText(new RegExp(`^(All|The newest|500 of) [\\d,]+ ${report}\\.$`)).waitFor();
      expect(await cut(page)).toEqual([]);
      expect(await page.getByLabel('Show long texts in full').isVisible()).toBe(false);
    }
  });

  test.each([1_280, 390])('shows long texts in full on request, by keyboard (%d pixels wide)', async (width) => {
    const url = `https://www.example.com/shop?utm_content=${'GARDEN-WALL-'.repeat(20)}`;
    const urls = [{ url }, { url: `https://www.example.com/${encodeURI('店').repeat(3)}` }];
    const browser = { viewport: { width, height: 800 } };
    const page = await it.open(address('clicks'), { browser, campaigns: [{ size: 2_000, urls }] });
    await page.getByText('All 250 clicks.').waitFor();
    await page.locator('#rows').getByText(url).first().waitFor();
    expect(new Set(await cut(page))).toEqual(new Set([url]));
    const tableWidth = () => page.locator('#scroll table').evaluate((table) => table.clientWidth);
    expect(await tableWidth()).toBeLessThan(1_400);
    await page.getByLabel('Search loaded rows').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    expect(await page.getByLabel('Show long texts in full').isChecked()).toBe(true);
    expect(await cut(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    expect(await violations(page)).toEqual([]);
    await tab(page, 'Opens').click();
    await page.getByText('The newest 500 opens.').waitFor();
    expect(await page.getByLabel('Show long texts in full').isVisible()).toBe(false);
    await page.goBack();
    await page.getByText('All 250 clicks.').waitFor();
    await until(async () => (await tableWidth()) > 1_400, 'it is still chosen');
    await page.getByLabel('Show long texts in full').uncheck();
    expect(await tableWidth()).toBeLessThan(1_400);
  });

  test('in the address that does not exist becomes the sends, and the address says so', async () => {
    const page = await it.open(address('replies'), { campaigns: [{ size: 100 }] });
    await page.getByText('All 100 sends.').waitFor();
    expect(page.url()).toBe(`${it.sendgate.url}/#campaign?id=1`);
    await page.goto(`${it.sendgate.url}${address('OPENS')}`);
    await page.getByText(/^All \d+ opens\.$/).waitFor();
    expect(page.url()).toBe(`${it.sendgate.url}${address('opens')}`);
  });

  test('has its tab in sight, also where the tabs do not fit', async () => {
    const browser = { viewport: { width: 390, height: 800 } };
    const page = await it.open(address('links'), { browser, campaigns: [{ size: 100 }] });
    await page.locator('#links-rows tr').first().waitFor();
    const right = () => tab(page, 'Links').evaluate((element) => element.getBoundingClientRect().right - innerWidth);
    await until(async () => (await right()) <= 0, 'the tab is in sight');
    expect(await page.evaluate(() => scrollY)).toBe(0);
  });

  test('with odd rows is shown too, and charted without those that have no date', async () => {
    const odd = { 0: 'null-date', 1: 'no-address', 2: 'null-contact' } as const;
    const campaigns = [
      { size: 3, odd },
      { size: 1, odd: { 0: 'null-date' } as const },
    ];
    const page = await it.open(address('sends'), { campaigns });
    await page.getByText('All 3 sends.').waitFor();
    const empty = (await rows(page).locator('td').allTextContents()).map((text) => text === '–');
    expect(empty).toEqual([false, true, false, true, false, false, false, false, true]);
    expect(await page.locator('#timeline-chart canvas').isVisible()).toBe(true);
    await page.goto(`${it.sendgate.url}/#campaign?id=2`);
    await page.getByText('1 send.').waitFor();
    expect(await page.locator('#timeline').isVisible()).toBe(false);
  });

  test('without rows says so, and has no chart', async () => {
    const page = await it.open(address('forwards'), { campaigns: [{ size: 100 }] });
    await page.getByText('No forwards.').waitFor();
    expect(await page.locator('#timeline').isVisible()).toBe(false);
    expect(await page.locator('#scroll').isVisible()).toBe(false);
    expect(await violations(page)).toEqual([]);
  });

  test('can be shown from a day on, in either zone, and the address says so', async () => {
    const newestMs = Date.parse('2026-03-10T12:10:00Z');
    const browser = { timezoneId: 'Asia/Kolkata' };
    const page = await it.open(address('sends'), {
      browser,
      campaigns: [{ size: 300, spacingMs: 3_600_000, newestMs }],
    });
    await page.getByText('All 300 sends.').waitFor();
    await page.getByLabel('On or after (local time)').fill('2026-03-06');
    await page.getByRole('button', { name: 'Apply' }).click();
    // 5:30 hours before UTC's day, and the six hours of the last half.
    await page.getByText('All 114 sends since 6 Mar 2026.').waitFor();
    expect(await curl(page)).toContain('/campaigns/1/sends?created_since=2026-03-05T18%3A30%3A00.000Z');
    await page.getByLabel('Times').selectOption('UTC');
    await page.getByText('All 114 sends since 5 Mar 2026, 18:30.').waitFor();
    await page.getByLabel('On or after (UTC)').fill('2026-03-06');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('All 109 sends since 6 Mar 2026.').waitFor();
    expect(await curl(page)).toBe(`curl '${it.sendgate.url}/campaigns/1/sends?created_since=2026-03-06'`);
    const copy = await it.context.newPage();
    // An address of the first version.
    await copy.goto(`${it.sendgate.url}/#sends?campaign=1&since=2026-03-06`);
    await copy.getByText('All 109 sends since 6 Mar 2026.').waitFor();
    expect(copy.url()).toBe(page.url());
    await page.getByRole('button', { name: 'Any date' }).click();
    await page.getByText('All 300 sends.').waitFor();
  });

  test('has its times in the chosen zone, the other in the tooltip, and keeps the choice', async () => {
    const newestMs = Date.parse('2026-03-10T20:10:00Z');
    const browser = { timezoneId: 'Asia/Kolkata' };
    const page = await it.open(address('sends'), {
      browser,
      campaigns: [{ size: 3, newestMs }],
    });
    await page.getByText('All 3 sends by hour (local time). Most at 11 Mar 2026, 01:00: 3.').waitFor();
    const newest = page.locator('#rows time').first();
    expect([await newest.textContent(), await newest.getAttribute('title')]).toEqual([
      '11 Mar 2026, 01:40:00',
      '10 Mar 2026, 20:10:00 UTC',
    ]);
    await page.getByLabel('Times').selectOption('UTC');
    await page.getByText('All 3 sends by hour (UTC). Most at 10 Mar 2026, 20:00: 3.').waitFor();
    expect(await headings(page)).toEqual(['Email address', 'Date (UTC)', 'Contact']);
    expect([await newest.textContent(), await newest.getAttribute('title')]).toEqual([
      '10 Mar 2026, 20:10:00',
      '11 Mar 2026, 01:40:00 local time',
    ]);
    await page.getByRole('link', { name: 'All campaigns' }).click();
    await page.locator('#campaigns-rows').getByText('10 Mar 2026, 20:10').waitFor();
    await page.reload();
    await page.getByRole('columnheader', { name: 'Last sent or changed (UTC)' }).waitFor();
    expect(await page.getByLabel('Times').inputValue()).toBe('utc');
  });

  test('is searched in the rows that are loaded, from one report to the next', async () => {
    const page = await it.open(address('sends'), { campaigns: [{ size: 1_500 }, {}] });
    await page.getByText('500 of 1,500 sends.').waitFor();
    const { results } = await it.sendgate.page('/campaigns/1/opens');
    const email = results[0]?.email_address ?? '';
    await page.getByLabel('Search loaded rows').fill(` ${email.toUpperCase()} `);
    await page.getByText('1 of 500 loaded rows. Load more to search further.').waitFor();
    await until(async () => (await column(page, 'address')).join() === email, 'it is the only row');
    await page.getByLabel('Search loaded rows').fill('no such address');
    await page.getByText('None of 500 loaded rows has all of these words.').waitFor();
    await until(async () => (await rows(page).count()) === 0, 'no row is shown');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.getByText('None of 1,000 loaded rows has all of these words.').waitFor();
    await page.getByLabel('Search loaded rows').fill(email);
    await tab(page, 'Opens').click();
    await page.getByText('1 of 500 loaded rows. Load more to search further.').waitFor();
    await page.getByLabel('Search loaded rows').fill('');
    await until(async () => (await rows(page).count()) > 10, 'all rows are shown');
    expect(page.url()).not.toContain('@');
  });

  test('of clicks can be that of one link, which the links lead to', async () => {
    const page = await it.open(address('links'), { campaigns: [{ size: 2_000 }] });
    await page.getByText('4 links with 250 clicks.', { exact: false }).waitFor();
    expect(await violations(page)).toEqual([]);
    const counts = await page.locator('#links-rows td:nth-child(2)').allTextContents();
    expect(counts).toEqual(['125', '63', '31', '31']);
    await page.getByRole('link', { name: 'https://www.example.com/catalogue?campaign=1' }).click();
    await page.getByText('All 63 clicks on this link.').waitFor();
    expect(await tab(page, 'Clicks').getAttribute('aria-selected')).toBe('true');
    expect(await page.locator('#link-url').textContent()).toBe('https://www.example.com/catalogue?campaign=1');
    expect(new Set(await column(page, 'link'))).toEqual(new Set(['https://www.example.com/catalogue?campaign=1']));
    expect(await curl(page)).toBe(`curl '${it.sendgate.url}/campaigns/1/clicks?link_id=2'`);
    expect(await violations(page)).toEqual([]);
    await page.getByRole('link', { name: 'Show all clicks' }).click();
    await page.getByText('All 250 clicks.').waitFor();
  });

  test('of links counts contacts with v3, which have no total', async () => {
    const page = await it.open(address('links'), { api: 'v3', campaigns: [{ size: 2_000 }] });
    await page
      .getByText('4 links, each with the number of contacts who clicked it. Choose one to see its clicks.')
      .waitFor();
    const headings = page.locator('#links-answer th[scope=col]').filter({ visible: true });
    expect(await headings.allTextContents()).toEqual(['Link', 'Contacts']);
    expect(await page.locator('#links-rows').getByText('%').filter({ visible: true }).count()).toBe(0);
    expect(await violations(page)).toEqual([]);
  });

  test('has each row once, even if others arrive meanwhile', async () => {
    const page = await it.open('/#live');
    const campaign = it.sendgate.sandbox.campaign({ id: '1', size: 900, newestMs: Date.now() - 30 * dayMs });
    await page.goto(`${it.sendgate.url}${address('sends')}`);
    await page.getByText('500 of 900 sends.').waitFor();
    campaign.add(3, Date.now() - dayMs);
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.getByText('All 900 sends.').waitFor();
  });

  test('whose first page is empty goes on to the next', async () => {
    const page = await it.open('/#live', { campaigns: [{ size: 10 }] });
    await page.route(/campaigns\/1\/sends$/, (route) =>
      route.fulfill({ json: { meta: { pagination: { next_link: '/campaigns/1/sends?limit=10' } }, results: [] } }),
    );
    await page.goto(`${it.sendgate.url}${address('sends')}`);
    await page.getByText('0 of 10 sends.').waitFor();
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.getByText('All 10 sends.').waitFor();
    expect(await rows(page).count()).toBe(10);
    expect(await headings(page)).toEqual(['Email address', 'Date (local time)', 'Contact']);
  });

  test('that arrives late is not shown in place of what was chosen since', async () => {
    const page = await it.open('/#live', { campaigns: [{ size: 100 }, { size: 200, name: 'Second' }] });
    const late = await hold(page, /\/campaigns\/1/);
    await page.goto(`${it.sendgate.url}/#campaign?id=1`);
    await until(() => late.held.length >= 3, 'the campaign, its counts and its sends are asked for');
    await page.goto(`${it.sendgate.url}/#campaign?id=2&report=opens`);
    await page.getByText('All 100 opens.').waitFor();
    await late.release();
    await tab(page, 'Sends').click();
    await page.getByText('All 200 sends.').waitFor();
    expect(await page.getByRole('heading', { level: 1 }).filter({ visible: true }).textContent()).toBe('Second');
  });
});

describe('an export', () => {
  test.each(['csv', 'ndjson'] as const)('as %s is complete', async (format) => {
    const page = await it.open(address('opens'), { campaigns: [{ size: 9_000 }] });
    await page.getByText('The newest 500 opens.').waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: `Export as ${format.toUpperCase()}` }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe(`campaign-1-opens.${format}`);
    const text = readFileSync(await download.path(), 'utf8');
    expect(text.startsWith('\ufeff')).toBe(format === 'csv');
    const lines = text.trimEnd().split('\n');
    expect(lines.length).toBe(format === 'csv' ? 4_501 : 4_500);
    await page.getByText(`Saved campaign-1-opens.${format}: 4,500 opens.`).waitFor();
    expect(await violations(page)).toEqual([]);
    await tabTo(page, 'export-cancel');
    await page.keyboard.press('Enter');
    expect(await page.locator('#export').isVisible()).toBe(false);
    expect(await focused(page)).toBe(`Export as ${format.toUpperCase()}`);
  });

  test('is not lost by a link without a question', async () => {
    const env = { SENDGATE_QUOTA_PER_SECOND: '1' };
    const page = await it.open(address('sends'), { env, campaigns: [{ size: 5_000 }] });
    await page.getByText('500 of 5,000 sends.').waitFor();
    const asked: string[] = [];
    page.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void dialog.dismiss();
    });
    await page.getByRole('button', { name: 'Export as NDJSON' }).click();
    await page.getByText(/^Exporting sends: /).waitFor();
    await page.getByRole('link', { name: 'API' }).click();
    await until(() => asked.length > 0, 'the browser asks');
    expect(asked).toEqual(['beforeunload']);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Cancelled: nothing was saved.').waitFor();
    await page.getByRole('link', { name: 'API' }).click();
    await page.getByText('A page of the campaigns of the account', { exact: true }).waitFor();
    expect(asked.length).toBe(1);
  });

  test('shows its progress, can be cancelled, and saves no incomplete file', async () => {
    const env = { SENDGATE_QUOTA_PER_SECOND: '5', SENDGATE_EXPORTS_PATIENCE_SECONDS: '1' };
    const page = await it.open(address('sends'), { env, campaigns: [{ size: 50_000 }] });
    await rows(page).first().waitFor();
    await page.getByText('500 of 50,000 sends.').waitFor();
    let downloads = 0;
    page.on('download', () => downloads++);
    await page.getByRole('button', { name: 'Export as NDJSON' }).click();
    await page.getByText(/^Exporting sends: \d,\d00 of 50,000$/).waitFor();
    const bar = page.locator('#export-progress');
    expect(await bar.getAttribute('max')).toBe('50000');
    expect(Number(await bar.getAttribute('value'))).toBeGreaterThan(0);
    expect(await violations(page)).toEqual([]);
    // It goes on in other views.
    await page.getByRole('link', { name: 'Live' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Cancelled: nothing was saved.').waitFor();
    await page.goBack();
    await page.getByRole('button', { name: 'Export as CSV' }).click();
    await page.getByText(/^Exporting sends: .* of 50,000$/).waitFor();
    it.sendgate.sandbox.fault({ kind: 'status', status: 500 });
    await page.locator('#export').getByRole('heading', { name: 'Sendgate cannot be reached' }).waitFor();
    expect(downloads).toBe(0);
  });
});
