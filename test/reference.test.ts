/**
 * The API reference and the pages of problems, in a real browser.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { problemCodes } from '../src/problems.ts';
import { explorer, violations } from './support/explorer.ts';

const it = explorer();
const run = promisify(execFile);

/** How a snippet is run as it stands. */
const runners: Readonly<Record<string, (code: string) => readonly [string, readonly string[]]>> = {
  curl: (code) => ['sh', ['-c', code]],
  JavaScript: (code) => [process.execPath, ['--input-type=module', '-e', code]],
  Python: (code) => ['python3', ['-c', code]],
};
/** Not every machine has Python. */
const canRun = (command: string) =>
  run('sh', ['-c', `command -v ${command}`]).then(
    () => true,
    () => false,
  );

/** Tries an operation with an id alone. Resolves with the address that is requested. */
async function tryOut(page: Page, summary: string, id: string): Promise<string> {
  await page.getByText(summary, { exact: true }).click();
  await page.getByRole('button', { name: 'Try it out' }).click();
  await page.getByPlaceholder('id', { exact: true }).fill(id);
  const requested = page.waitForRequest(/\/campaigns\//);
  await page.getByRole('button', { name: 'Execute' }).click();
  const request = await requested;
  await page.getByRole('heading', { name: 'Server response' }).waitFor();
  return request.url();
}

test('the reference is legible in light and in dark, and sends nothing that was not typed', async () => {
  const browser = { colorScheme: 'light', viewport: { width: 1_100, height: 800 } } as const;
  const page = await it.open('/docs', { browser, campaigns: [{ size: 3 }] });
  expect(await tryOut(page, 'A page of the clicks of a campaign', '1')).toBe(`${it.sendgate.url}/campaigns/1/clicks`);
  const illegible = () => violations(page, { within: '#reference', rules: ['color-contrast'] });
  expect(await illegible()).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  const ground = await page
    .locator('.swagger-ui')
    .first()
    .evaluate((element) => getComputedStyle(element).backgroundColor);
  expect(ground).toBe('rgb(18, 22, 29)');
  expect(await illegible()).toEqual([]);
});

test('the reference lists each path once, and shows the request that was tried as code that runs', async () => {
  const page = await it.open('/docs', { campaigns: [{ size: 3 }] });
  await tryOut(page, 'A page of the sends of a campaign', '1');
  const paths = await page.locator('.opblock-summary-path').allTextContents();
  expect(paths.length).toBeGreaterThan(20);
  expect(new Set(paths).size).toBe(paths.length);
  const shown = page.locator('.request-snippets');
  for (const [language, runner] of Object.entries(runners)) {
    await shown.getByText(language, { exact: true }).click();
    const code = (await shown.locator('pre').textContent()) ?? '';
    const [command, args] = runner(code);
    if (!(await canRun(command))) continue;
    const { stdout } = await run(command, args);
    expect([language, stdout.match(/EMAIL_SEND/g)?.length]).toEqual([language, 3]);
  }
});

test('the pages of problems can be read on a phone, in light and in dark (axe)', async () => {
  const browser = { colorScheme: 'light', viewport: { width: 390, height: 800 } } as const;
  const page = await it.open('/problems/invalid-cursor', { browser });
  expect(await violations(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  expect(await violations(page)).toEqual([]);
  for (const code of problemCodes) {
    await page.goto(`${it.sendgate.url}/problems/${code}`);
    await page.getByRole('heading', { name: 'Who has to do it' }).waitFor();
    expect([code, await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)]).toEqual([code, 0]);
  }
  await page.getByRole('link', { name: 'All operations' }).click();
  await page.getByText('A page of the sends of a campaign', { exact: true }).waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
});
