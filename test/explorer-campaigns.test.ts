/**
 * The explorer's list of campaigns: searched, filtered, sorted, with counts for what is in sight.
 */
import { describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { explorer, hold, violations } from './support/explorer.ts';
import { until } from './support/harness.ts';

const it = explorer();
const names = (page: Page) => page.locator('#campaigns-rows th').allTextContents();
const cells = (page: Page, name: string) =>
  page.locator('#campaigns-rows tr', { hasText: name }).locator('td.number').allTextContents();
const row = (page: Page, name: string | RegExp) => page.getByRole('row', { name });
const many = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `Newsletter ${index + 1}` }));

const garden = [
  { name: 'Spring sale', size: 2_000 },
  { name: 'Autumn catalogue', size: 1_000 },
  { name: 'Spring newsletter', status: 'DRAFT' },
  { name: 'Harvest', status: 'SCHEDULED' },
  { name: 'Winter', status: 'REMOVED' },
] as const;

describe('the list of campaigns', () => {
  test.each(['v2', 'v3'] as const)('shows the newest first, with their counts (%s)', async (api) => {
    const page = await it.open('/', { campaigns: garden, api });
    await page.getByText('All 4 campaigns.').waitFor();
    expect(await names(page)).toEqual(['Spring sale', 'Autumn catalogue', 'Spring newsletter', 'Harvest']);
    await row(page, 'Spring sale').getByText('2,000').waitFor();
    await row(page, 'Autumn catalogue').getByText('1,000').waitFor();
    expect(await cells(page, 'Spring sale')).toEqual(['2,000', '750', '188', '62', '15']);
    expect(await cells(page, 'Spring newsletter')).toEqual(['–', '–', '–', '–', '–']);
    // Two campaigns have gone out: nothing is asked about the others.
    if (api === 'v2') expect(it.sendgate.sandbox.callCount).toBe(3);
  });

  test('is searched as one types, and the address says what is searched', async () => {
    const page = await it.open('/', { campaigns: garden });
    await page.getByText('All 4 campaigns.').waitFor();
    await page.getByLabel('Search by name').pressSequentially('SPRING ne');
    await page.getByText('1 of 4 campaigns.').waitFor();
    expect(await names(page)).toEqual(['Spring newsletter']);
    const copy = await it.context.newPage();
    await copy.goto(page.url());
    await copy.getByText('1 of 4 campaigns.').waitFor();
    expect(await copy.getByLabel('Search by name').inputValue()).toBe('SPRING ne');
    await page.getByLabel('Search by name').fill('nothing');
    await page.getByText('None of 4 campaigns has “nothing” in its name.').waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test('is filtered and sorted, and Back undoes it', async () => {
    const page = await it.open('/', { campaigns: garden });
    await page.getByText('All 4 campaigns.').waitFor();
    await page.getByLabel('Sort by').selectOption('Name');
    await page.getByRole('row').nth(1).getByText('Autumn catalogue').waitFor();
    expect(await names(page)).toEqual(['Autumn catalogue', 'Harvest', 'Spring newsletter', 'Spring sale']);
    await page.getByLabel('Status').selectOption('Deleted');
    await page.getByText('1 campaign with the status Deleted.').waitFor();
    expect(page.url()).toContain('#campaigns?status=DELETED&sort=name');
    expect(await page.locator('#campaigns-command code').textContent()).toBe(
      `curl '${it.sendgate.url}/campaigns?status=DELETED'`,
    );
    await page.getByLabel('Status').selectOption('Running');
    await page.getByText('There are no campaigns with the status Running.').waitFor();
    expect(await violations(page)).toEqual([]);
    await page.goBack();
    await page.getByText('1 campaign with the status Deleted.').waitFor();
    await page.goBack();
    await page.getByText('All 4 campaigns.').waitFor();
    await page.goBack();
    await page.getByRole('row').nth(1).getByText('Spring sale').waitFor();
    expect(await page.getByLabel('Sort by').inputValue()).toBe('newest');
  });

  test.each(['v2', 'v3'] as const)('links to a deleted campaign only where it can be opened (%s)', async (api) => {
    const page = await it.open('/#campaigns?status=DELETED', { campaigns: garden, api });
    await page.getByText('1 campaign with the status Deleted.').waitFor();
    if (api === 'v2') {
      await page.getByText('Cannot be opened: Constant Contact gives no reports of deleted campaigns.').waitFor();
      expect(await page.locator('#campaigns-rows a').count()).toBe(0);
      expect(await violations(page)).toEqual([]);
      return;
    }
    await page.getByRole('link', { name: 'Winter' }).click();
    await page.getByRole('heading', { name: 'Winter' }).waitFor();
    await page.locator('#about').getByText('Deleted').waitFor();
  });

  test('asks for counts of rows in sight only', async () => {
    const asked = new Set<string>();
    const page = await it.open('/', {
      campaigns: many(200),
      prepare: async (page) => page.on('request', (request) => asked.add(request.url())),
    });
    const summaries = () => [...asked].filter((url) => url.endsWith('/summary')).length;
    await row(page, /^Newsletter 1 /)
      .getByText('100', { exact: true })
      .waitFor();
    await page.getByText('All 200 campaigns.').waitFor();
    await page.locator('#campaigns-rows tr').last().scrollIntoViewIfNeeded();
    await row(page, 'Newsletter 200').getByText('100', { exact: true }).waitFor();
    expect(summaries()).toBeLessThan(100);
  });

  test('asks no more for counts of rows that were scrolled away', async () => {
    const page = await it.open('/', { campaigns: many(200) });
    await page.getByText('All 200 campaigns.').waitFor();
    await row(page, /^Newsletter 1 /)
      .getByText('100', { exact: true })
      .waitFor();
    const late = await hold(page, /summary$/);
    const aborted = new Set<string>();
    page.on('requestfailed', (request) => aborted.add(request.url()));
    await page.locator('#campaigns-rows tr').nth(100).scrollIntoViewIfNeeded();
    const waiting = () => late.held.map((route) => route.request().url()).filter((url) => !aborted.has(url));
    await until(() => waiting().length === 3, 'three are asked for at a time');
    const three = waiting();
    await page.locator('#campaigns-rows tr').first().scrollIntoViewIfNeeded();
    await until(() => three.every((url) => aborted.has(url)), 'they are aborted');
    await late.release();
  });

  test('loads the newest 500, and more on request', async () => {
    const page = await it.open('/', { campaigns: many(520) });
    await page.getByText('The newest 500 campaigns.').waitFor();
    await page.getByRole('button', { name: 'Export all as CSV' }).waitFor();
    expect(await page.locator('#campaigns-rows tr').count()).toBe(500);
    await page.getByRole('button', { name: 'Load more campaigns' }).click();
    await page.getByText('All 520 campaigns.').waitFor();
    expect(await page.getByRole('button', { name: 'Load more campaigns' }).isVisible()).toBe(false);
  });

  test('has a campaign once that moves between two pages', async () => {
    const page = await it.open('/#live', { campaigns: many(60) });
    await page.route(/campaigns\?next=/, async (route) => {
      const answer = await route.fetch();
      const { meta, results } = (await answer.json()) as { meta: unknown; results: { id: string }[] };
      const [moved] = results;
      await route.fulfill({ response: answer, json: { meta, results: [{ ...moved, id: '1' }, ...results] } });
    });
    await page.getByRole('link', { name: 'Campaigns' }).click();
    await page.getByText('All 60 campaigns.').waitFor();
  });

  test('reports a failure of counts once, and asks for them again on request', async () => {
    let asked = 0;
    const page = await it.open('/', {
      campaigns: many(30),
      prepare: (page) =>
        page.route(/summary$/, (route) => {
          asked++;
          return route.fulfill({ status: 502, body: 'no' });
        }),
    });
    await page.getByText(/^Something in front of Sendgate answered, with status 502\./).waitFor();
    await page.getByText('All 30 campaigns.').waitFor();
    expect(await page.getByRole('alert').count()).toBe(1);
    // Those that ran when the first failed, and none after it.
    expect(asked).toBeLessThanOrEqual(3);
    expect(await violations(page)).toEqual([]);
    await page.unroute(/summary$/);
    await page.getByRole('button', { name: 'Try again' }).click();
    await row(page, /^Newsletter 1 /)
      .getByText('100', { exact: true })
      .waitFor();
    expect(await page.getByRole('alert').isVisible()).toBe(false);
  });

  test('says that it loads and, when that takes long, for how long', async () => {
    let held: Awaited<ReturnType<typeof hold>> | undefined;
    const page = await it.open('/', {
      campaigns: garden,
      prepare: async (page) => {
        await page.clock.install();
        held = await hold(page, /campaigns\?/);
      },
    });
    const view = page.locator('#campaigns-view');
    await page.getByText('Loading campaigns …').waitFor();
    expect(await view.getAttribute('aria-busy')).toBe('true');
    await page.clock.runFor(1_500);
    expect(await view.getByText(/^\d+ s$/).count()).toBe(0);
    await page.clock.runFor(3_000);
    await view.getByText(/^4 s$/).waitFor();
    expect(await violations(page)).toEqual([]);
    await held?.release();
    await page.clock.resume();
    await page.getByText('All 4 campaigns.').waitFor();
    expect(await view.getAttribute('aria-busy')).toBe(null);
    expect(await page.getByText('Loading campaigns …').isVisible()).toBe(false);
  });

  test('names a campaign whose name shows nothing by its id, everywhere', async () => {
    const blank = '\u200b \u202e';
    const page = await it.open('/', { campaigns: [{ name: blank, subject: blank, size: 3 }, { name: 'Spring sale' }] });
    await page.getByRole('link', { name: '1', exact: true }).click();
    await page.getByRole('heading', { name: 'Campaign 1' }).waitFor();
    await page.getByText('All 3 sends.').waitFor();
    expect(await page.locator('#about').getByText('Subject').count()).toBe(0);
    expect(await page.title()).toBe('Campaign 1 · Sends · Sendgate');
    await page.getByRole('link', { name: 'Compare with another campaign' }).click();
    await page.getByText('Choose a campaign to compare with campaign 1.').waitFor();
    await page.getByRole('link', { name: 'Spring sale' }).click();
    await page.getByRole('link', { name: 'Campaign 1' }).waitFor();
  });

  test('keeps names of another direction of writing to themselves', async () => {
    const page = await it.open('/#campaigns?compare=1', { campaigns: [{ name: '\u202eevil' }, { name: 'عرض ٢٠٪' }] });
    await page.getByText('All 2 campaigns.').waitFor();
    const choice = page.locator('#choice');
    const left = (part: string) => choice.locator(part).evaluate((element) => element.getBoundingClientRect().left);
    await choice.getByText('evil').waitFor();
    expect(await left('strong')).toBeLessThan(await left('a'));
    const direction = (place: string) =>
      page.locator(place).evaluate((element) => getComputedStyle(element).unicodeBidi);
    expect(await direction('#campaigns-rows a >> nth=1')).toBe('plaintext');
    expect(await direction('#campaign-title')).toBe('plaintext');
    expect(await page.title()).not.toContain('\u202e');
  });

  test('fits where a long word is searched', async () => {
    const page = await it.open(`/#campaigns?q=${'x'.repeat(600)}`, { campaigns: garden });
    await page.getByText(/^None of 4 campaigns has “x+” in its name\.$/).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
  });

  test('of an account without campaigns says so', async () => {
    const page = await it.open();
    await page.getByText('There are no campaigns.').waitFor();
    expect(await page.getByRole('table').isVisible()).toBe(false);
    expect(await violations(page)).toEqual([]);
  });

  test('that cannot be loaded says what to do, and can be tried again', async () => {
    const page = await it.open('/', {
      campaigns: many(60),
      prepare: (page) => page.route(/campaigns\?next=/, (route) => route.abort()),
    });
    await page.getByRole('heading', { name: 'Sendgate cannot be reached' }).waitFor();
    expect(await page.locator('#campaigns-rows tr').count()).toBe(50);
    expect(await violations(page)).toEqual([]);
    await page.unroute(/campaigns\?next=/);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('All 60 campaigns.').waitFor();
  });

  test('is not saved when a proxy answers with its page to sign in', async () => {
    const page = await it.open('/', { campaigns: many(3) });
    await page.getByText('All 3 campaigns.').waitFor();
    await page.route(/campaigns\.csv/, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html>\n<title>Sign in</title>\n' }),
    );
    await page.getByRole('button', { name: 'Export all 3 as CSV' }).click();
    await page.locator('#export').getByRole('heading', { name: 'This answer is not from Sendgate' }).waitFor();
    await page
      .locator('#export')
      .getByText(/with status 200\. If it asks people to sign in/)
      .waitFor();
    expect(await page.getByText(/^Saved/).count()).toBe(0);
  });

  test('is exported: all of it, whatever is searched', async () => {
    const page = await it.open('/', { campaigns: many(60) });
    await page.getByText('All 60 campaigns.').waitFor();
    await page.getByLabel('Search by name').fill('newsletter 60');
    await page.getByText('1 of 60 campaigns.').waitFor();
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export all 60 as CSV' }).click();
    expect((await downloading).suggestedFilename()).toBe('campaigns.csv');
    await page.getByText('Saved campaigns.csv: 60 campaigns.').waitFor();
    await page.getByLabel('Search by name').fill('nothing');
    await page.getByText('None of 60 campaigns has “nothing” in its name.').waitFor();
    expect(await page.getByRole('button', { name: /^Export/ }).count()).toBe(0);
  });

  test('is where it was when one comes back', async () => {
    const page = await it.open('/', { campaigns: many(60) });
    await page.getByText('All 60 campaigns.').waitFor();
    const link = page.getByRole('link', { name: 'Newsletter 50', exact: true });
    await link.click();
    await page.getByRole('heading', { name: 'Newsletter 50', exact: true }).waitFor();
    await page.goBack();
    await link.waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Newsletter 50');
    expect(await link.evaluate((element) => element.getBoundingClientRect().top < innerHeight)).toBe(true);
    expect(await page.evaluate(() => scrollY)).toBeGreaterThan(0);
  });

  test.each(['one comes back to it', 'its tab is looked at again'])(
    'is loaded anew, after hours, when %s',
    async (when) => {
      const page = await it.open('/', { campaigns: many(3), prepare: (page) => page.clock.install() });
      await page.getByText('All 3 campaigns.').waitFor();
      it.sendgate.sandbox.campaign({ id: '4', name: 'Newest', size: 1, newestMs: Date.now() });
      it.sendgate.clock.forward(7_200);
      const look = () =>
        when === 'one comes back to it'
          ? page.goto(`${it.sendgate.url}/#live`).then(() => page.goBack())
          : page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      let asked = 0;
      page.on('request', (request) => {
        if (request.url().includes('/campaigns?')) asked++;
      });
      await look();
      await page.getByText('All 3 campaigns.').waitFor();
      expect(asked).toBe(0);
      await page.clock.fastForward('02:00:00');
      await look();
      await page.getByText('From the cache, while a newer page is fetched: reload in a moment.').waitFor();
      expect(asked).toBe(1);
      await page.reload();
      await page.getByText('All 4 campaigns.').waitFor();
    },
  );

  test('opens a campaign by its id', async () => {
    const page = await it.open('/', { campaigns: garden });
    await page.getByLabel('Campaign id').fill('1');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('heading', { name: 'Spring sale' }).waitFor();
    expect(page.url()).toBe(`${it.sendgate.url}/#campaign?id=1`);
    // The same id beside *Compare* would compare the campaign with itself.
    await page.getByRole('link', { name: 'Compare with another campaign' }).click();
    expect(await page.getByLabel('Campaign id').inputValue()).toBe('');
  });
});
