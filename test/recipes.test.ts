/**
 * The recipes, as they stand in docs/recipes.md. They read Sendgate's address and the campaign from the environment; where
 * none can be read, in pages and configuration files, the address is replaced.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Open } from '../src/model/opens.ts';
import type { Campaign } from '../src/sandbox/campaign.ts';
import { launch } from './support/browser.ts';
import { unpackClient } from './support/client-package.ts';
import { CronCopy, type KnownRow, rowsUpTo, sorted } from './support/cron-copy.ts';
import { freePort } from './support/free-port.ts';
import { type Environment, type Harness, start, until } from './support/harness.ts';
import { codeOf, unreadBlocks } from './support/recipes.ts';

const run = promisify(execFile);
const id = '1100394165288';
const size = 1_234;
const opens = 617;
let it: Harness;
let folder: string;

async function begin(env: Environment = {}): Promise<Campaign> {
  it = await start(env);
  return it.sandbox.campaign({
    ...{ id, size, newestMs: Date.now() - 90 * 86_400_000, name: 'Spring sale' },
    reports: { opens: { size: opens } },
  });
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sendgate-recipes-'));
});
afterEach(async () => {
  await it?.close();
});

/** What recipes read, and where they run. */
const options = () => ({ cwd: folder, env: { ...process.env, SENDGATE: it.url, CAMPAIGN: id } });
const sh = async (script: string) => (await run('sh', ['-c', script], options())).stdout;
/** Code that cannot read the environment. */
const addressed = (code: string) => code.replaceAll('http://127.0.0.1:8080', it.url);

const fields = (output: string) =>
  output
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));

describe('curl', () => {
  test('walks, exports and polls', async () => {
    await begin();
    const [walk = '', whole = '', poll = ''] = codeOf('curl', 'sh');
    expect((await sh(walk)).trim().split(/\s+/).map(Number)).toEqual([500, 500, 234]);
    await sh(whole);
    expect(readdirSync(folder)).toContain(`campaign-${id}-opens.csv`);
    const lines = readFileSync(join(folder, `campaign-${id}-opens.csv`), 'utf8')
      .trimEnd()
      .split('\n');
    expect(lines.length).toBe(opens + 1);
    await sh(poll);
    const page = readFileSync(join(folder, 'page.json'), 'utf8');
    expect(JSON.parse(page).results.length).toBe(500);
    await sh(poll);
    expect(it.lines.at(-1)).toContain('"status":304');
    expect(readFileSync(join(folder, 'page.json'), 'utf8')).toBe(page);
  });

  test('walks a Sendgate with a base path, and says so when a request fails', async () => {
    await begin({ SENDGATE_SERVER_BASE_PATH: '/ctct' });
    const [walk = ''] = codeOf('curl', 'sh');
    const env = { ...options().env, SENDGATE: `${it.url}/ctct` };
    const pages = (script: string) => run('sh', ['-c', script], { ...options(), env });
    expect((await pages(walk)).stdout.trim().split(/\s+/).map(Number)).toEqual([500, 500, 234]);
    const failing = `curl() { case "$*" in *next=*) return 22;; *) command curl "$@";; esac; }\n${walk}`;
    await expect(pages(failing)).rejects.toMatchObject({ code: 1, stdout: '500\n' });
  });

  test('polls whole pages only, though a connection is reset amid one', async () => {
    await begin();
    const whole = await (await it.get(`/campaigns/${id}/sends`)).text();
    const tag = 'W/"a"';
    let asked = 0;
    const breaking = createServer(({ headers }, res) => {
      if (headers['if-none-match'] === tag) return res.writeHead(304, { etag: tag }).end();
      res.writeHead(200, { etag: tag, 'content-length': Buffer.byteLength(whole) });
      if (++asked === 2) return res.end(whole);
      return res.write(whole.slice(0, 50_000), () => setTimeout(() => res.destroy(), 20));
    });
    await new Promise<void>((resolve) => breaking.listen(0, '127.0.0.1', resolve));
    try {
      const [, , poll = ''] = codeOf('curl', 'sh');
      const env = { ...options().env, SENDGATE: `http://127.0.0.1:${(breaking.address() as AddressInfo).port}` };
      const again = () => run('sh', ['-c', poll], { ...options(), env });
      await expect(again()).rejects.toMatchObject({ code: 18 });
      for (let poll = 1; poll <= 2; poll++) {
        await again();
        expect(readFileSync(join(folder, 'page.json'), 'utf8')).toBe(whole);
      }
      expect(asked).toBe(2);
    } finally {
      breaking.close();
    }
  });

  test('reports an export whose connection was reset', async () => {
    await begin({ SENDGATE_EXPORTS_PATIENCE_SECONDS: '1' });
    const [, whole = ''] = codeOf('curl', 'sh');
    it.sandbox.campaign({ id, size: 400_000, newestMs: Date.now() - 90 * 86_400_000 });
    const exporting = sh(whole);
    const failing = setInterval(() => {
      if (it.sandbox.callCount > 3) it.sandbox.fault({ kind: 'status', status: 500 });
    }, 1);
    await expect(exporting).rejects.toMatchObject({ code: expect.any(Number) });
    clearInterval(failing);
  });
});

test('a copy that cron keeps up to date is complete and repeats nothing, though runs are killed, the disk is full, and rows are late', async () => {
  await begin();
  const copy = new CronCopy(folder, options().env);
  const serve = (all: readonly KnownRow[]) => {
    it.sandbox.campaign({ id, size: all.length, newestMs: Date.parse(all[0]?.at ?? ''), known: all });
    return fetch(`${it.service.managementUrl}/purge?everything`, { method: 'POST' });
  };
  const first = rowsUpTo(600, 1_102);
  await serve(first);
  await copy.update('killed during the download');
  await copy.update('on a full disk, with an awk that does not say so');
  expect(copy.days()).toEqual([]);
  await copy.update('killed after four days');
  expect(copy.days().length).toBe(4);
  await copy.update();
  expect(copy.rows()).toEqual(sorted(first));
  expect(copy.leftovers()).toEqual([]);

  const again = { contactId: '1', email: 'same-instant@example.com', at: first[0]?.at ?? '' };
  const late = { contactId: '2', email: 'a-day-late@example.com', at: first[200]?.at ?? '' };
  const second = [...rowsUpTo(603, 21), again, ...first.slice(0, 200), late, ...first.slice(200)];
  await serve(second);
  await copy.update('while another has the folder');
  expect(copy.rows()).toEqual(sorted(first));
  await copy.update();
  expect(copy.rows()).toEqual(sorted(second));
  await copy.update();
  expect(copy.rows()).toEqual(sorted(second));
});

test('a page of another origin, and the error that it gets if its origin is missing', async () => {
  let html = '';
  const page = createServer((_req, res) => res.setHeader('Content-Type', 'text/html').end(html));
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
  const { port } = page.address() as AddressInfo;
  await begin({ SENDGATE_CALLERS_CORS_ORIGINS: `http://127.0.0.1:${port}` });
  const [text = ''] = codeOf('A page of another origin', 'html');
  html = addressed(text);
  const browser = await launch();
  try {
    const tab = await browser.newPage();
    await tab.goto(`http://127.0.0.1:${port}`);
    await tab.getByText(`${size} sends, the last one to `).waitFor();

    const said: string[] = [];
    tab.on('console', (message) => said.push(message.text()));
    await tab.goto(`http://localhost:${port}`);
    const [message = ''] = codeOf('A page of another origin', 'console');
    const expected = addressed(message).trimEnd().replace('http://127.0.0.1:3000', `http://localhost:${port}`);
    await until(() => said.includes(expected), `the console says ${expected}`);
    const failure = tab.evaluate((url) => fetch(url).catch(String), `${it.url}/campaigns/${id}/sends`);
    expect(await failure).toBe('TypeError: Failed to fetch');
  } finally {
    await browser.close();
    page.close();
  }
});

/** Runs a program for Node. Returns the fields of its lines. */
async function program(text: string): Promise<string[][]> {
  writeFileSync(join(folder, 'recipe.mjs'), text);
  const { stdout } = await run(process.execPath, ['recipe.mjs'], options());
  return fields(stdout);
}

describe('Node', () => {
  test('all campaigns with their counts', async () => {
    const spring = await begin();
    const winter = it.sandbox.campaign({
      id: '2',
      size: 2_048,
      newestMs: Date.now() - 200 * 86_400_000,
      urls: [],
      name: 'Winter sale',
    });
    it.sandbox.campaign({ id: '3', size: 0, newestMs: Date.now(), status: 'DRAFT' });
    unpackClient(folder);
    const [counts = ''] = codeOf('Node', 'js');
    const rows = await program(counts);
    expect(rows.map((row) => row.slice(0, 4))).toEqual([
      [id, 'Spring sale', '1234', String(spring.openers)],
      ['2', 'Winter sale', '2048', String(winter.openers)],
    ]);
    for (const row of rows) expect(row.slice(2).every((count) => /^\d+$/.test(count))).toBe(true);
  });

  test('who clicked which link', async () => {
    const truth = await begin();
    unpackClient(folder);
    const [, clickers = ''] = codeOf('Node', 'js');
    const clicks = truth.report('clicks');
    expect(await program(clickers)).toEqual(
      Array.from({ length: clicks.size }, (_, index) => {
        const { atMs, email, number } = clicks.at(index);
        return [new Date(atMs).toISOString(), email, truth.urls[truth.linkOf(number)]];
      }),
    );
  });
});

test('pandas', async () => {
  const truth = await begin();
  const [csv = '', ndjson = ''] = codeOf('pandas', 'python');
  const both = `${csv}
from_csv = sends
${ndjson}
assert from_csv.equals(sends), "CSV and NDJSON differ"
assert sends["contact_id"].map(type).eq(str).all(), "ids are no text"
assert str(sends["send_date"].dt.tz) == "UTC", "dates are no dates"`;
  const { stdout } = await run('/usr/bin/python3', ['-W', 'error', '-c', both], options());
  const newest = new Date(truth.at(0).atMs).toISOString();
  const counts = [...stdout.matchAll(/^(\S+) (\S+) +(\d+)$/gm)];
  expect(counts.at(-1)?.slice(1, 3)).toEqual([newest.slice(0, 10), `${newest.slice(11, 13)}:00:00+00:00`]);
  expect(counts.reduce((sum, [, , , count]) => sum + Number(count), 0)).toBe(size);
});

test('DuckDB', async () => {
  await begin();
  mkdirSync(join(folder, 'node_modules'));
  const installed = fileURLToPath(new URL('../node_modules/@duckdb', import.meta.url));
  symlinkSync(installed, join(folder, 'node_modules/@duckdb'));
  const [query = ''] = codeOf('DuckDB', 'js');
  const found = await program(query);
  const rowsOf = async (report: string): Promise<Open[]> =>
    (await (await it.get(`/campaigns/${id}/${report}.ndjson`)).text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  const clickers = new Set((await rowsOf('clicks')).map(({ contact_id }) => contact_id));
  const expected = new Map<string, number>();
  for (const { contact_id } of await rowsOf('opens')) {
    if (!clickers.has(contact_id)) expected.set(contact_id, (expected.get(contact_id) ?? 0) + 1);
  }
  expect(new Map(found.map(([contact = '', , count]) => [contact, Number(count)]))).toEqual(expected);
  const counts = found.map(([, , count]) => Number(count));
  expect(counts).toEqual(counts.toSorted((a, b) => b - a));
});

test('Prometheus', async () => {
  await begin();
  const [config = ''] = codeOf('Prometheus', 'yaml');
  const [query = ''] = codeOf('Prometheus', 'promql');
  const { host } = new URL(it.service.managementUrl);
  const file = join(folder, 'prometheus.yml');
  writeFileSync(file, `global: { scrape_interval: 100ms }\n${config.replace('127.0.0.1:8081', host)}`);
  const address = `127.0.0.1:${await freePort()}`;
  const prometheus = spawn('prometheus', [
    ...[`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`],
    `--web.listen-address=${address}`,
  ]);
  try {
    let found: readonly unknown[] = [];
    await until(async () => {
      await it.get(`/campaigns/${id}/sends`);
      const answer = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(query)}`).catch(() => {});
      found = answer?.ok ? ((await answer.json()) as { data: { result: unknown[] } }).data.result : [];
      return found.length > 0;
    }, 'Prometheus has scraped');
    expect(found).toMatchObject([{ metric: { team: 'default' } }]);
  } finally {
    prometheus.kill('SIGKILL');
    await once(prometheus, 'close');
  }
});

test('no other recipe can run here', () => {
  expect(unreadBlocks()).toEqual([
    '# Recipes: sh',
    'Node: sh',
    'LibreOffice: sh',
    'Excel: powerquery',
    'Grafana: text',
  ]);
});
