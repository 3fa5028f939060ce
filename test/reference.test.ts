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
import { snippetsOf } from '../src/site/browser/snippets.ts';
import { explorer, focused, tabTo, violations } from './support/explorer.ts';
import { until } from './support/harness.ts';

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

const operationOf = (page: Page, summary: string) => page.locator('.opblock').filter({ hasText: summary });

/** Tries an operation with an id alone. Resolves with the address that is requested. */
async function tryOut(page: Page, summary: string, id: string): Promise<string> {
  const operation = operationOf(page, summary);
  await operation.getByText(summary, { exact: true }).click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByLabel('id', { exact: true }).fill(id);
  const requested = page.waitForRequest(/\/campaigns\//);
  await operation.getByRole('button', { name: 'Execute' }).click();
  const request = await requested;
  await operation.getByRole('heading', { name: 'Server response' }).waitFor();
  return request.url();
}

/** What axe finds in light and in dark, on a wide screen and on a phone. */
async function violationsAnywhere(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1_280, 390]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      // Colours change slowly.
      await page.evaluate(() => {
        for (const animation of document.getAnimations()) animation.finish();
      });
      found.push(...(await violations(page)).map((violation) => `${colorScheme}, ${width}: ${violation}`));
    }
  }
  return found;
}

test('the reference is accessible, whatever is open (axe), and sends nothing that was not typed', async () => {
  const page = await it.open('/docs', { campaigns: [{ size: 100 }] });
  await page.getByText('A page of the clicks of a campaign', { exact: true }).waitFor();
  expect(await violationsAnywhere(page)).toEqual([]);
  const ground = await page
    .locator('.swagger-ui')
    .first()
    .evaluate((element) => getComputedStyle(element).backgroundColor);
  expect(ground).toBe('rgb(18, 22, 29)');
  await page.getByRole('button', { name: 'Authorize', exact: true }).click();
  await page.getByRole('dialog', { name: 'Token' }).waitFor();
  expect(await violationsAnywhere(page)).toEqual([]);
  await page.keyboard.press('Escape');
  expect(await tryOut(page, 'A page of the clicks of a campaign', '1')).toBe(`${it.sendgate.url}/campaigns/1/clicks`);
  expect(new URL(page.url()).hash).toBe('#/Clicks/getClicks');
  await tryOut(page, 'A page of the sends of a campaign', '999');
  const statuses = await page.locator('.live-responses-table .response-col_status').allTextContents();
  expect(statuses.filter((text) => text !== 'Code').sort()).toEqual(['200', '404']);
  await page.getByText('A page of the campaigns').first().click();
  await operationOf(page, 'A page of the clicks of a campaign').getByRole('tab', { name: 'Schema' }).first().click();
  await page.getByRole('button', { name: 'Expand all' }).first().click();
  await page.getByRole('button', { name: 'Expand all' }).last().click();
  expect(await violationsAnywhere(page)).toEqual([]);
}, 120_000);

test('the token is typed in a dialog that keeps the focus, and gives it back', async () => {
  const page = await it.open('/docs');
  const open = page.getByRole('button', { name: 'Authorize', exact: true });
  const dialog = page.locator('dialog');
  await open.focus();
  await page.keyboard.press('Enter');
  await dialog.waitFor();
  expect(await dialog.evaluate((element) => element.matches(':modal'))).toBe(true);
  const reached = new Set<unknown>();
  for (let presses = 0; presses < 8; presses++) {
    reached.add(await page.evaluate(() => document.activeElement?.closest('dialog, body')?.tagName));
    reached.add(await page.evaluate(() => document.activeElement?.tagName));
    await page.keyboard.press('Tab');
  }
  // After the last control, the browser's own have their turn: then it is the body.
  expect([...reached].sort()).toEqual(['BODY', 'BUTTON', 'DIALOG', 'INPUT']);
  await page.keyboard.press('Escape');
  for (const [typed, next] of [
    ['s3cret', 'Log out'],
    ['', 'Authorize'],
  ] as const) {
    await dialog.waitFor({ state: 'detached' });
    expect(await focused(page)).toBe('Authorize');
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.keyboard.type(typed);
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await page.keyboard.press('Enter');
    await dialog.getByRole('button', { name: next }).waitFor();
    await tabTo(page, 'Close');
    await page.keyboard.press('Enter');
  }
});

test('an operation is tried by keyboard alone, with the token, which no snippet shows', async () => {
  const page = await it.open('/docs', { campaigns: [{ size: 3 }] });
  await page.getByRole('button', { name: 'Authorize', exact: true }).focus();
  await page.keyboard.press('Enter');
  const dialog = page.locator('dialog');
  await dialog.waitFor();
  await page.keyboard.type('s3cret');
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  const operation = operationOf(page, 'A page of the clicks of a campaign');
  const press = async (what: string, key = 'Enter', way = 'Tab') => {
    await operation.getByRole('button', { name: what }).waitFor();
    await tabTo(page, what, way);
    await page.keyboard.press(key);
  };
  await operation.getByRole('button', { expanded: false }).first().focus();
  await page.keyboard.press('Enter');
  await press('Try it out');
  await operation.getByRole('button', { name: 'Cancel' }).waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.type('1');
  const requested = page.waitForRequest(/\/campaigns\//);
  await press('Execute');
  expect((await (await requested).allHeaders()).authorization).toBe('Bearer s3cret');
  await operation.getByRole('heading', { name: 'Server response' }).waitFor();
  expect(await focused(page)).toBe('Execute');
  await page.getByRole('status').getByText('Answer: 200, OK.').waitFor();
  for (const [language] of languages) {
    await press(language, 'Space');
    await operation.getByRole('button', { name: language, pressed: true }).waitFor();
  }
  const code = await page.locator('.request-snippets pre').textContent();
  expect(code).toContain('urlopen');
  expect(code).toContain('Bearer YOUR_TOKEN');
  await page.keyboard.press('Tab');
  const copy = operation.getByRole('button', { name: 'Copy code to clipboard' }).first();
  expect(await copy.evaluate((button) => button === document.activeElement)).toBe(true);
  await press('Download');
  await page.keyboard.press('Tab');
  expect(await focused(page)).toMatch(/^{\s+"meta"/);
  await press('Clear', 'Enter', 'Shift+Tab');
  await operation.getByRole('heading', { name: 'Server response' }).waitFor({ state: 'detached' });
  expect(await focused(page)).toBe('Execute');
});

test('each answer is read out, also the same again, and that there is none', async () => {
  const page = await it.open('/docs', { campaigns: [{ size: 3 }] });
  const operation = operationOf(page, 'A page of the clicks of a campaign');
  const said = page.getByRole('status');
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(globalThis, { said });
    const status = document.querySelector('[role=status]') as Element;
    new MutationObserver(() => said.push(status.textContent ?? '')).observe(status, { childList: true, subtree: true });
  });
  await tryOut(page, 'A page of the clicks of a campaign', '999');
  await said.getByText('Answer: 404, Campaign not found.').waitFor();
  await operation.getByRole('button', { name: 'Execute' }).click();
  await page.waitForFunction(() => (globalThis as unknown as { said: string[] }).said.filter(Boolean).length === 2);
  await it.context.setOffline(true);
  await operation.getByRole('button', { name: 'Execute' }).click();
  await said.getByText('No answer: the connection failed.').waitFor();
  expect(await page.evaluate(() => (globalThis as unknown as { said: string[] }).said)).toEqual([
    ...['Answer: 404, Campaign not found.', '', 'Answer: 404, Campaign not found.', ''],
    'No answer: the connection failed.',
  ]);
});

test('a parameter that is missing is shown and focused when a request cannot be sent without it', async () => {
  const page = await it.open('/docs', { browser: { viewport: { width: 390, height: 800 } } });
  const operation = operationOf(page, 'A page of the clicks of a campaign');
  await operation.getByText('A page of the clicks of a campaign', { exact: true }).click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const field = operation.getByLabel('id', { exact: true });
  await until(() => field.evaluate((element) => element === document.activeElement), 'it has the focus');
  expect(await field.getAttribute('title')).toBe('Required field is not provided');
  expect(await field.evaluate((element) => element.getBoundingClientRect().top)).toBeGreaterThan(0);
});

test('an example is one stop of the Tab key', async () => {
  const page = await it.open('/docs');
  const operation = operationOf(page, 'A page of the clicks of a campaign');
  await operation.getByText('A page of the clicks of a campaign', { exact: true }).click();
  const schema = operation.getByRole('tab', { name: 'Schema' }).first();
  await schema.focus();
  await page.keyboard.press('Tab');
  expect(await focused(page)).toMatch(/^{\s+"meta"/);
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('SELECT');
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
  const snippets = snippetsOf(request as never);
  expect(snippets.map(({ title }) => title)).toEqual(languages.map(([title]) => title));
  for (const { code } of snippets) {
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
  // As wide as a page that is enlarged to 400% (WCAG 1.4.10).
  await page.setViewportSize({ width: 320, height: 800 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
});
