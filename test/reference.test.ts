/**
 * The API reference and the pages of problems, in a real browser.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { problemCodes } from '../src/problems.ts';
import { documentedCampaign } from '../src/sandbox/sandbox.ts';
import { snippetPlugin } from '../src/site/browser/snippets.ts';
import { explorer, violations } from './support/explorer.ts';

const it = explorer();
const run = promisify(execFile);

/** How code is run as it stands, and how it is marked in documents. */
const languages = [
  ['curl', 'sh', (code: string) => ['sh', '-c', code]],
  ['JavaScript', 'js', (code: string) => [process.execPath, '--input-type=module', '-e', code]],
  ['Python', 'python', (code: string) => ['python3', '-c', code]],
] as const;

/** Not every machine has Python. */
const isThere = (command: string) =>
  run('sh', ['-c', 'command -v "$0"', command]).then(
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

test('the reference is accessible in light and in dark (axe), and sends nothing that was not typed', async () => {
  const browser = { colorScheme: 'light', viewport: { width: 1_100, height: 800 } } as const;
  const page = await it.open('/docs', { browser, campaigns: [{ size: 3 }] });
  await page.getByText('A page of the clicks of a campaign', { exact: true }).waitFor();
  expect(await violations(page)).toEqual([]);
  expect(await tryOut(page, 'A page of the clicks of a campaign', '1')).toBe(`${it.sendgate.url}/campaigns/1/clicks`);
  expect(new URL(page.url()).hash).toBe('#/Clicks/getClicks');
  expect(await violations(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  const ground = await page
    .locator('.swagger-ui')
    .first()
    .evaluate((element) => getComputedStyle(element).backgroundColor);
  expect(ground).toBe('rgb(18, 22, 29)');
  expect(await violations(page)).toEqual([]);
});

test('the reference lists each path once, and shows what was tried as code that runs, as docs/api.md does', async () => {
  const page = await it.open('/docs', { campaigns: [documentedCampaign] });
  await tryOut(page, 'A page of the sends of a campaign', documentedCampaign.id);
  const paths = await page.locator('.opblock-summary-path').allTextContents();
  expect(paths.length).toBeGreaterThan(20);
  expect(new Set(paths).size).toBe(paths.length);
  const text = readFileSync(new URL('../docs/api.md', import.meta.url), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith('A page of a report')) ?? '';
  for (const [language, mark, commandOf] of languages) {
    await page.locator('.request-snippets').getByText(language, { exact: true }).click();
    const tried = (await page.locator('.request-snippets pre').textContent()) ?? '';
    const [, documented = ''] = new RegExp(`^\`\`\`${mark}\n([^]*?)\`\`\``, 'm').exec(section) ?? [];
    for (const code of [tried, documented.replaceAll('http://127.0.0.1:8080', it.sendgate.url)]) {
      const [command = '', ...args] = commandOf(code);
      if (!(await isThere(command))) continue;
      const { stdout } = await run(command, args);
      expect([code, stdout]).toEqual([code, expect.stringMatching(/abc@example\.com|next=c3RhcnRBdD0z/)]);
    }
  }
});

test('no code of the reference contains the token that was typed', () => {
  const headers = { toObject: () => ({ accept: '*/*', Authorization: 'Bearer s3cret' }) };
  const request = { get: (name: string) => (name === 'url' ? 'https://sendgate.example/status?a=%27' : headers) };
  const written = Object.values(snippetPlugin.fn).map((write) => write(request as never));
  expect(written).toHaveLength(languages.length);
  for (const code of written) {
    expect(code).toContain('Bearer YOUR_TOKEN');
    expect(code).not.toContain('s3cret');
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
