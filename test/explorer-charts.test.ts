/**
 * Charts of reports in the explorer, from the first page or from all of them.
 */
import { describe, expect, test } from '@jest/globals';
import { drawnLabels, explorer, scrollToRow, violations, watchLabels } from './support/explorer.ts';
import { until } from './support/harness.ts';

const it = explorer();
const address = (tab: string) => `/#campaign?id=1&report=${tab}`;

describe('a report', () => {
  test('is charted as a whole on request, with progress; cancelling keeps what has arrived', async () => {
    const page = await it.open(address('sends'), { campaigns: [{ size: 5_000, spacingMs: 60_000 }] });
    await page.getByText('500 of 5,000 sends.').waitFor();
    await page.getByText(/^The newest 500 sends by hour \(local time\)\. Most at /).waitFor();
    let pages = 0;
    // The third never arrives.
    await page.route(/next=/, (route) => (++pages < 3 ? route.continue() : undefined));
    await page.getByRole('button', { name: 'Chart the whole report' }).click();
    await page.getByText('1,500 of 5,000', { exact: true }).waitFor();
    expect(await page.locator('#walk-progress').evaluate((bar: HTMLProgressElement) => bar.value)).toBe(1_500);
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('1,500 of 5,000 sends.').waitFor();
    expect(await page.locator('#report-panel').getAttribute('aria-busy')).toBe(null);
    await page.unroute(/next=/);
    await page.getByRole('button', { name: 'Chart the whole report' }).click();
    await page.getByText('All 5,000 sends.').waitFor();
    await page.getByText(/^All 5,000 sends by day \(local time\)\. Most on \d+ \w+ 20\d\d: 1,44\d\.$/).waitFor();
  });

  test.each([1_100, 390])('is charted with whole labels (%d pixels wide)', async (width) => {
    const page = await it.open(address('sends'), {
      browser: { viewport: { width, height: 800 } },
      // All of the first within one hour, whatever the time.
      campaigns: [
        { size: 14_000, spacingMs: 30, newestMs: Date.parse('2026-01-01T12:30:00Z') },
        { size: 14_000, spacingMs: 360_000 },
        { size: 3 },
      ],
      prepare: watchLabels,
    });
    const isWhole = async (text: string) => {
      await until(async () => {
        const labels = await drawnLabels(page);
        expect(labels.filter(({ isWhole }) => !isWhole)).toEqual([]);
        return labels.some((label) => label.text === text);
      }, `the label ${text} is drawn`);
    };
    await page.getByText('500 of 14,000 sends.').waitFor();
    await page.getByRole('button', { name: 'Chart the whole report' }).click();
    await page.getByText('All 14,000 sends.').waitFor();
    await isWhole('10,000');
    await page.goto(`${it.sendgate.url}/#campaign?id=2`);
    await page.getByText('500 of 14,000 sends.').waitFor();
    await page.getByRole('button', { name: 'Chart the whole report' }).click();
    await page.getByText('All 14,000 sends.').waitFor();
    await isWhole('0');
    await page.goto(`${it.sendgate.url}/#campaign?id=3`);
    await page.getByText('All 3 sends.').waitFor();
    await isWhole('0');
  });

  test('of 100,000 opens stays fluid: scrolled, and charted as a whole', async () => {
    const page = await it.open(address('opens'), {
      campaigns: [{ size: 184_000, reports: { opens: { size: 101_000 } } }],
      prepare: (page) =>
        page.addInitScript(() => {
          const tasks: number[] = [];
          Object.assign(globalThis, { longTasks: tasks });
          new PerformanceObserver((list) => {
            for (const { duration } of list.getEntries()) tasks.push(Math.round(duration));
          }).observe({ type: 'longtask', buffered: true });
        }),
    });
    const total = page.getByText(/^The newest [\d,]+ opens\.$/);
    await total.waitFor();
    for (let loaded = 500; loaded <= 5_000; loaded += 500) {
      // At least: a page can arrive before the one before it was seen.
      const isLoaded = async () => Number(((await total.textContent()) ?? '').replace(/\D/g, '')) >= loaded;
      await until(isLoaded, `${loaded} opens are shown`);
      await scrollToRow(page, loaded);
    }
    await page.getByRole('button', { name: 'Chart the whole report' }).click();
    // The table keeps the newest; the chart is of all.
    await page.getByText('The newest 100,000 of 101,000 opens: export the report for all.').waitFor();
    await page.getByText(/^All 101,000 opens by day \(local time\)\. Most on /).waitFor();
    await scrollToRow(page, 99_999);
    await page.locator('#rows tr[aria-rowindex="100001"]').waitFor();
    expect(await page.locator('*').count()).toBeLessThan(1_000);
    const longTasks = await page.evaluate(() => (globalThis as unknown as { longTasks: number[] }).longTasks);
    // Rows that are all in the page take many seconds; on a busy machine each of these waits for others.
    expect(Math.max(0, ...longTasks)).toBeLessThan(3_000);
  }, 120_000);
});
