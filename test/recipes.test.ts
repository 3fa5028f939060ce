/**
 * The recipes, as they stand in docs/recipes.md.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Campaign } from '../src/sandbox/campaign.ts';
import { launch } from './support/browser.ts';
import { unpackClient } from './support/client-package.ts';
import { type Environment, type Harness, start } from './support/harness.ts';

const run = promisify(execFile);
const text = readFileSync(new URL('../docs/recipes.md', import.meta.url), 'utf8');
const size = 1_234;
const opens = 617;
let it: Harness;
let folder: string;

async function begin(env: Environment = {}): Promise<Campaign> {
  it = await start(env);
  return it.sandbox.campaign({
    ...{ id: '1100394165288', size, newestMs: Date.now() - 90 * 86_400_000, name: 'Spring sale' },
    reports: { opens: { size: opens } },
  });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sendgate-recipes-'));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await it.close();
});

/** The code under a heading, with the address of the Sendgate that runs. */
function code(heading: string, language: string): string[] {
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  const blocks = [...section.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))];
  return blocks.map(([, block = '']) => block.replaceAll('http://127.0.0.1:8080', it.url));
}

test('curl', async () => {
  await begin();
  const [walk = '', whole = '', poll = ''] = code('curl', 'sh');
  const sh = async (script: string) => (await run('sh', ['-c', script], { cwd: folder })).stdout;
  expect((await sh(walk)).trim().split(/\s+/).map(Number)).toEqual([500, 500, 234]);
  await sh(whole);
  expect(readdirSync(folder)).toContain('campaign-1100394165288-opens.csv');
  const lines = readFileSync(join(folder, 'campaign-1100394165288-opens.csv'), 'utf8').trimEnd().split('\n');
  expect(lines.length).toBe(opens + 1);
  await sh(poll);
  const page = readFileSync(join(folder, 'page.json'), 'utf8');
  expect(JSON.parse(page).results.length).toBe(500);
  await sh(poll);
  expect(it.lines.at(-1)).toContain('"status":304');
  expect(readFileSync(join(folder, 'page.json'), 'utf8')).toBe(page);
});

test('curl reports an export whose connection was reset', async () => {
  await begin({ SENDGATE_EXPORTS_PATIENCE_SECONDS: '1' });
  const [, whole = ''] = code('curl', 'sh');
  it.sandbox.campaign({ id: '1100394165288', size: 400_000, newestMs: Date.now() - 90 * 86_400_000 });
  const exporting = run('sh', ['-c', whole], { cwd: folder });
  const failing = setInterval(() => {
    if (it.sandbox.callCount > 3) it.sandbox.fault({ kind: 'status', status: 500 });
  }, 1);
  await expect(exporting).rejects.toMatchObject({ code: expect.any(Number) });
  clearInterval(failing);
});

test('a page in a browser', async () => {
  let html = '';
  const page = createServer((_req, res) => res.setHeader('Content-Type', 'text/html').end(html));
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
  await begin({ SENDGATE_CALLERS_CORS_ORIGINS: origin });
  [html = ''] = code('A page in a browser', 'html');
  const browser = await launch();
  try {
    const tab = await browser.newPage();
    await tab.goto(origin);
    await tab.getByText(`${size} sends, the last one to `).waitFor();
  } finally {
    await browser.close();
    page.close();
  }
});

/** Runs a program for Node. Returns the fields of its lines. */
async function program(text: string): Promise<string[][]> {
  unpackClient(folder);
  writeFileSync(join(folder, 'recipe.mjs'), text);
  const { stdout } = await run(process.execPath, ['recipe.mjs'], { cwd: folder });
  const lines = stdout.trimEnd().split('\n');
  return lines.map((line) => line.split('\t'));
}

test('all campaigns with their counts in Node', async () => {
  const spring = await begin();
  const winter = it.sandbox.campaign({
    id: '2',
    size: 2_048,
    newestMs: Date.now() - 200 * 86_400_000,
    urls: [],
    name: 'Winter sale',
  });
  it.sandbox.campaign({ id: '3', size: 0, newestMs: Date.now(), status: 'DRAFT' });
  const [counts = ''] = code('Node', 'js');
  const rows = await program(counts);
  expect(rows.map((row) => row.slice(0, 4))).toEqual([
    ['1100394165288', 'Spring sale', '1234', String(spring.openers)],
    ['2', 'Winter sale', '2048', String(winter.openers)],
  ]);
  for (const row of rows) expect(row.slice(2).every((count) => /^\d+$/.test(count))).toBe(true);
});

test('who clicked which link in Node', async () => {
  const truth = await begin();
  const [, clickers = ''] = code('Node', 'js');
  const clicks = truth.report('clicks');
  expect(await program(clickers)).toEqual(
    Array.from({ length: clicks.size }, (_, index) => {
      const { atMs, email, number } = clicks.at(index);
      return [new Date(atMs).toISOString(), email, truth.urls[truth.linkOf(number)]];
    }),
  );
});
