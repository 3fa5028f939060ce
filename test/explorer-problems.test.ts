/**
 * Problems in the explorer: what people read, and how they go on.
 */
import { describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { liveNow, liveStates, statusOf } from '../docs/screenshots/live-states.ts';
import { alerts, explorer, scrollDown, tabTo, violations } from './support/explorer.ts';

const it = explorer();

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

  test.each([
    ['two dots', '..'],
    ['a dot', '%2E'],
    ['a long id', '9'.repeat(20_000)],
    ['a long one in pairs of code units', '😀'.repeat(2_000)],
    ['bytes that are no text', '%E0%A4%A'],
    ['two ids', '1+2&id=1'],
    ['a long date', `1&since=${'2'.repeat(20_000)}`],
  ])('for an address with %s says what is wrong with it', async (_, id) => {
    const page = await it.open(`/#campaign?id=${id}`, { campaigns: [{ size: 3 }] });
    await alerts(page)
      .getByText(/^The (id is not a campaign id|date is not a date or date-time)\. Allowed: /)
      .waitFor();
    expect(await alerts(page).count()).toBe(1);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    expect(await violations(page)).toEqual([]);
  });

  test.each([
    [504, 'Sendgate may be starting or slow: try again in a moment.'],
    [403, 'If it asks people to sign in, reload the page and sign in again.'],
  ])('of a proxy in front, with status %d, says what may be wrong', async (status, words) => {
    const prepare = (page: Page) =>
      page.route(/campaigns\?/, (route) => route.fulfill({ status, body: '<h1>No</h1>' }));
    const page = await it.open('/', { prepare });
    await alerts(page).getByText(`Something in front of Sendgate answered, with status ${status}. ${words}`).waitFor();
  });

  test('for too many requests counts down', async () => {
    const env = { SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '5' };
    const page = await it.open('/#campaign?id=1', { env, campaigns: [{ size: 3 }] });
    await page.getByText('All 3 sends.').waitFor();
    await page.getByRole('tab', { name: 'Opens' }).click();
    await page.getByText('1 open.').waitFor();
    await page.getByRole('tab', { name: 'Clicks' }).click();
    await page.getByRole('heading', { name: 'Too many requests' }).waitFor();
    await page.getByText(/^It may work in [1-5]?\d seconds?\.$/).waitFor();
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
      .getByText(/^It may work in \d+ (hour|minute|second)s?\.$/)
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
    expect(await page.locator('#rows tr').count()).toBeGreaterThan(10);
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
    await page.getByText('Not called yet', { exact: true }).waitFor();
    expect(await alerts(page).count()).toBe(0);
  });

  test('of the live view is told once, not at each poll', async () => {
    let polls = 0;
    const prepare = async (page: Page) => {
      await page.clock.install();
      await page.route(/\/status$/, (route) => {
        polls++;
        return route.abort();
      });
    };
    const page = await it.open('/#live', { prepare });
    await page.getByRole('heading', { name: 'Sendgate cannot be reached' }).waitFor();
    const changes = await page.evaluateHandle(() => {
      const changes: string[] = [];
      const alert = document.querySelector('[role=alert]:not([hidden])') as Element;
      new MutationObserver((all) => changes.push(...all.map(({ type }) => type))).observe(alert, {
        ...{ attributes: true, childList: true, characterData: true, subtree: true },
      });
      return changes;
    });
    const before = polls;
    for (let n = 0; polls < before + 3 && n < 50; n++) await page.clock.runFor(5_000);
    expect(polls).toBe(before + 3);
    await page.clock.runFor(1_000);
    expect(await changes.jsonValue()).toEqual([]);
  });

  test.each([1_280, 390])(
    'of Constant Contact is in the live view, beside ten teams (%d pixels wide)',
    async (width) => {
      const teams = liveStates['long-names']?.teams ?? [];
      let seconds = 0;
      const prepare = async (page: Page) => {
        await page.clock.install({ time: liveNow });
        await page.route(/\/status$/, (route) => {
          seconds += 60;
          return route.fulfill({ json: statusOf(teams, liveStates['refused']?.upstream, seconds) });
        });
      };
      const browser = { viewport: { width, height: 800 }, timezoneId: 'Africa/Cairo' };
      const page = await it.open('/#live', { prepare, browser });
      const state = page.locator('#condition [data-level=stop]');
      await state.getByText('Credentials refused since 00:05 local time', { exact: true }).waitFor();
      expect(await state.locator('svg').count()).toBe(1);
      expect(await page.locator('#days tr').count()).toBe(10);
      expect(await page.locator('#days [data-level=warn]').first().textContent()).toBe('Borrows');
      // Errors since the page was opened stand out.
      await page.locator('#answers .number [data-level=warn]').waitFor();
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
      for (const table of await page.locator('.by-team').all()) {
        expect(await table.evaluate((place) => place.scrollWidth - place.clientWidth)).toBe(0);
      }
      await tabTo(page, 'pause');
      await page.keyboard.press('Enter');
      expect(await page.getByRole('button', { name: 'Resume' }).count()).toBe(1);
      const polls = seconds;
      for (let n = 0; n < 3; n++) await page.clock.fastForward(5_000);
      expect(seconds).toBe(polls);
    },
  );

  test('for a missing token takes one where it is shown, by keyboard', async () => {
    const digest = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'; // of "test"
    const env = {
      SENDGATE_CALLERS_REQUIRED: 'true',
      SENDGATE_TEAMS: JSON.stringify([{ name: 'web', tokensSha256: [digest] }]),
    };
    const prepare = (page: Page) => page.clock.install();
    const page = await it.open('/#live', { env, prepare });
    await page.getByRole('heading', { name: 'Unknown team' }).waitFor();
    expect(await violations(page)).toEqual([]);
    await tabTo(page, 'pause');
    await page.keyboard.press('Tab');
    await page.keyboard.type('te');
    // No poll takes away what is being typed.
    for (let n = 0; n < 4; n++) await page.clock.fastForward(5_000);
    await page.keyboard.type('st');
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: 'web' }).first().waitFor();
    expect(await alerts(page).count()).toBe(0);
    expect(page.url()).toBe(`${it.sendgate.url}/#live`);
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage }) + document.cookie)).toBe('{}');
  });
});
