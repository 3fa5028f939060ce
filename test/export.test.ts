/**
 * Whole campaigns: every send once, never more than a page ahead of the reader, and never complete when it is not.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import Papa from 'papaparse';
import { makeBody } from '../src/cache/page.ts';
import type { Lookup, PageSource } from '../src/cache/page-source.ts';
import { systemClock } from '../src/clock.ts';
import type { PageQuery } from '../src/model/page-query.ts';
import { lists } from '../src/model/resources.ts';
import type { Send } from '../src/model/sends.ts';
import { exportFormats } from '../src/reports/export/formats.ts';
import { startWalk } from '../src/reports/export/walk.ts';
import { renderPage } from '../src/reports/page-json.ts';
import type { Campaign } from '../src/sandbox/campaign.ts';
import {
  accessToken,
  apiKey,
  type Environment,
  type Harness,
  idOf,
  oauth,
  start,
  targetOf,
  until,
} from './support/harness.ts';
import { firstPage } from './support/queries.ts';

const run = promisify(execFile);
const hourMs = 3_600_000;
let it: Harness;
afterEach(() => it?.close());

async function begin(size: number, env: Environment = {}, cursors: 'offset' | 'time' = 'offset'): Promise<Campaign> {
  it = await start(env);
  return it.sandbox.campaign({ id: '1', size, newestMs: Date.now() - 240 * hourMs, cursors });
}

const truth = (campaign: Campaign, count = campaign.size) =>
  Array.from({ length: count }, (_, index) => {
    const { email, atMs } = campaign.at(index);
    return `${email} ${new Date(atMs).toISOString()}`;
  });

const told = ({ email_address, send_date }: Send) => `${email_address} ${send_date}`;
const fromCsv = (text: string) => Papa.parse<Send>(text.trimEnd(), { header: true }).data;
const fromNdjson = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Send);

/** The pages that were asked for upstream. */
const pagesAsked = () => it.sandbox.calls.filter(({ path }) => path.endsWith('/tracking/sends')).length;

/** An answer whose body is read by nobody until it is resumed. */
function open(path: string, localAddress = '127.0.0.1'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpGet(`${it.url}${targetOf(path)}`, { agent: false, localAddress }, resolve).once('error', reject);
  });
}

describe('a whole campaign', () => {
  test.each(['offset', 'time'] as const)('contains each send once, in both formats (%s cursors)', async (cursors) => {
    const campaign = await begin(2_345, {}, cursors);
    const csv = await (await it.get('/campaigns/1/sends.csv')).text();
    const ndjson = await (await it.get('/campaigns/1/sends.ndjson')).text();
    expect(fromCsv(csv).map(told)).toEqual(truth(campaign));
    expect(fromNdjson(ndjson)).toEqual(fromCsv(csv));
    expect(csv.split('\r\n')[0]).toBe('activity_type,campaign_id,contact_id,email_address,send_date');
    expect(csv.endsWith('\r\n')).toBe(true);
    // The second came out of the cache.
    expect(pagesAsked()).toBe(5);
  });

  test('has a descriptive file name', async () => {
    await begin(3);
    const csv = await it.get('/campaigns/1/sends.csv');
    expect(csv.status).toBe(200);
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
    expect(csv.headers.get('content-disposition')).toBe(`attachment; filename="campaign-${idOf('1')}-sends.csv"`);
    expect(csv.headers.get('cache-control')).toBe('private, no-store');
    const since = await it.get('/campaigns/1/sends.ndjson?created_since=2026-01-02T03:04:05%2B01:00');
    expect(since.headers.get('content-type')).toBe('application/x-ndjson');
    expect(since.headers.get('content-disposition')).toBe(
      `attachment; filename="campaign-${idOf('1')}-sends-since-2026-01-02T02-04-05.000Z.ndjson"`,
    );
  });

  test('begins with a byte order mark if it is CSV and asked to', async () => {
    await begin(3);
    const plain = Buffer.from(await (await it.get('/campaigns/1/sends.csv')).arrayBuffer());
    const marked = Buffer.from(await (await it.get('/campaigns/1/sends.csv?bom=1')).arrayBuffer());
    expect(marked).toEqual(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), plain]));
    expect(pagesAsked()).toBe(1);
    for (const refused of ['sends.csv?bom=0', 'sends.csv?bom=1&bom=1', 'sends.ndjson?bom=1', 'sends?bom=1'])
      expect((await it.get(`/campaigns/1/${refused}`)).status).toBe(400);
  });

  test('since an instant contains the rows that are not older', async () => {
    const campaign = await begin(3_000);
    const since = new Date(campaign.at(1_700).atMs).toISOString();
    const csv = await (await it.get(`/campaigns/1/sends.csv?created_since=${since}`)).text();
    expect(fromCsv(csv).map(told)).toEqual(truth(campaign, 1_701));
    // A page to begin with, and none behind the one where older sends begin.
    expect(pagesAsked()).toBe(4);
  });

  test('without sends is a header row, or empty', async () => {
    await begin(0);
    expect(await (await it.get('/campaigns/1/sends.csv')).text()).toBe(
      'activity_type,campaign_id,contact_id,email_address,send_date\r\n',
    );
    expect(await (await it.get('/campaigns/1/sends.ndjson')).text()).toBe('');
  });

  test('contains no formula, and keeps every character', async () => {
    await begin(0);
    const emails = ['=cmd|calc@x.y', '+1@x.y', '-1@x.y', '@x.y', '\tx@y.z', 'a,"b"\r\n@x.y', 'ä😀@x.y', "o'neil@x.y"];
    const at = (index: number) => new Date(Date.now() - hourMs - index * 1000).toISOString();
    const known = emails.map((email, index) => ({ contactId: String(index), email, at: at(index) }));
    it.sandbox.campaign({ id: '2', size: known.length, newestMs: Date.now() - hourMs, known });
    const text = await (await it.get('/campaigns/2/sends.csv')).text();
    const cells = fromCsv(text).map(({ email_address }) => email_address);
    const expected = emails.map((email) => (/^[=+\-@\t]/.test(email) ? `'${email}` : email));
    expect(cells).toEqual(expected.map((email) => email.replace('\n@', "\n'@")));
    expect(fromNdjson(await (await it.get('/campaigns/2/sends.ndjson')).text()).map(told)).toEqual(
      known.map(({ email, at }) => `${email} ${at}`),
    );
  });

  test('contains each send once, even if others arrive meanwhile', async () => {
    const campaign = await begin(4_000);
    const before = truth(campaign);
    const answer = await it.get('/campaigns/1/sends.ndjson');
    for (let round = 0; round < 5; round++) {
      it.sandbox.addSends('1', 120);
      it.clock.forward(70);
      // A dashboard finds the new sends, and with them every page behind the head changes.
      await it.get('/campaigns/1/sends', { 'cache-control': 'no-cache' });
    }
    const sends = fromNdjson(await answer.text()).map(told);
    expect(new Set(sends).size).toBe(sends.length);
    expect(sends.filter((send) => before.includes(send))).toEqual(before);
  });

  test('contains each send once, even if a page with repeated rows starts with an older one', async () => {
    const sendOf = (second: number): Send => ({
      ...{ activity_type: 'EMAIL_SEND', campaign_id: '1', contact_id: String(second), email_address: '' },
      send_date: `2026-01-01T00:00:${String(second).padStart(2, '0')}.000Z`,
    });
    const pages = [
      [19, 17, 18],
      [16, 18, 15, 14],
      [11, 14, 13, 12, 10],
    ];
    const get = async ({ cursor = '0' }: { cursor?: string | undefined }) => {
      const results = (pages[Number(cursor)] ?? []).map(sendOf);
      const next = Number(cursor) + 1 < pages.length ? String(Number(cursor) + 1) : undefined;
      const json = JSON.stringify({ meta: { pagination: {} }, results });
      return { page: { body: await makeBody({ json, next: undefined, cursor: next, newestMs: undefined }) } } as Lookup;
    };
    const parts = { pages: { get } as unknown as PageSource, clock: systemClock, patienceMs: 0 };
    const ask = { team: 'a', signal: new AbortController().signal };
    const seconds: number[] = [];
    for await (const news of await startWalk(parts, firstPage('1', 4), ask))
      seconds.push(...(JSON.parse(news) as Send[]).map(({ contact_id }) => Number(contact_id)));
    expect(seconds).toEqual([19, 17, 18, 16, 15, 14, 11, 13, 12, 10]);
  });

  test('that is unchanged costs one call, not one per page', async () => {
    await begin(2_500);
    const first = await (await it.get('/campaigns/1/sends.csv')).text();
    it.clock.forward(2 * 86_400);
    expect(await (await it.get('/campaigns/1/sends.csv')).text()).toBe(first);
    expect(pagesAsked()).toBe(6);
  });

  test('that has grown is fetched again', async () => {
    const campaign = await begin(2_500);
    await (await it.get('/campaigns/1/sends.csv')).text();
    it.sandbox.addSends('1', 10);
    it.clock.forward(2 * 86_400);
    expect(fromCsv(await (await it.get('/campaigns/1/sends.csv')).text()).map(told)).toEqual(truth(campaign));
  });
});

describe('a page in another format', () => {
  /** What is awkward in CSV or JSON comes often, beside anything at all. */
  const piece = fc.oneof(
    fc.constantFrom(
      '=',
      '+',
      '-',
      '@',
      '"',
      ',',
      '\\',
      "'",
      '\r',
      '\n',
      '\t',
      ' ',
      '{',
      '}',
      '[',
      ']',
      '},{"',
      '":"',
      '$1',
      ';',
      '|',
      '%',
      '\uff1d',
      '\uff20',
      '\u0000',
      '\ufeff',
      '',
    ),
    fc.string({ unit: 'grapheme', maxLength: 6 }),
    fc.constantFrom('abc@example.com', '2012-12-06T13:06:14.762Z', '21'),
  );
  const value = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(''));

  test.each(Object.values(lists).map((list) => [list.name, list] as const))(
    'of %s is what the CSV library writes, and parses back to the same rows',
    (name, list) => {
      const row = fc.record(Object.fromEntries(list.fields.map((field) => [field, value])));
      fc.assert(
        fc.property(fc.array(row, { maxLength: 4 }), (all) => {
          const text = JSON.stringify(all);
          const rows = all.map((one) => Object.values(one).map(guarded));
          const csv = rows.length === 0 ? '' : `${Papa.unparse(rows)}\r\n`;
          expect(exportFormats.csv(list).lines(text)).toBe(csv);
          const lines = exportFormats.ndjson(list).lines(text).split('\n');
          expect(lines.pop()).toBe('');
          expect(lines.map((line) => JSON.parse(line))).toEqual(all);
        }),
        { numRuns: name === 'sends' ? 2_000 : 300 },
      );
    },
  );
});

/** The same as a program would do it that reads a value character by character. */
function guarded(value: string): string {
  const signs = '=+-@|%\uff1d\uff0b\uff0d\uff20\uff5c\uff05';
  const isDropped = (at: string | undefined) => at !== undefined && (at === '"' || at.trim() === '');
  let text = '';
  for (let n = 0; n < value.length; n++) {
    const at = value[n] ?? '';
    let other = n;
    if (n === 0) while (isDropped(value[other])) other++;
    else {
      do other--;
      while (isDropped(value[other]) && !'\t\r\n'.includes(value[other] ?? ''));
    }
    const isOdd = n === 0 && (at < ' ' || at === '\ufeff');
    const isBegin = n === 0 ? signs.includes(value[other] ?? 'x') : ';|\t\r\n'.includes(value[other] ?? 'x');
    text += isOdd || (isBegin && (n === 0 || signs.includes(at))) ? `'${at}` : at;
  }
  return text;
}

const send = (contact: number): Send => ({
  activity_type: 'EMAIL_SEND',
  campaign_id: '1',
  contact_id: String(contact),
  email_address: `${contact}@example.com`,
  send_date: '2026-01-01T00:00:00.000Z',
});

/** All that a walk tells of the pages that are made up so, from page 0 on. */
async function walk(pageAt: (at: number) => { sends: readonly Send[]; next: number | undefined }): Promise<Send[]> {
  const get = async (query: PageQuery) => {
    const { sends, next } = pageAt(query.kind === 'next' ? Number(query.cursor) : 0);
    const { json } = renderPage('', firstPage('1', 2), { rows: sends, cursor: undefined });
    const body = await makeBody({
      ...{ json, next: undefined, newestMs: undefined },
      cursor: next === undefined ? undefined : String(next),
    });
    return { page: { body } } as unknown as Lookup;
  };
  const parts = { pages: { get } as unknown as PageSource, clock: systemClock, patienceMs: 1 };
  const ask = { team: 'a', signal: new AbortController().signal };
  const told: Send[] = [];
  for await (const page of await startWalk(parts, firstPage('1', 2), ask)) told.push(...JSON.parse(page));
  return told;
}

test('each send comes once, even if many have the same date', async () => {
  // The second page has shifted by one.
  const sends = [[send(5), send(4)], [send(4), send(3)], [send(2)]];
  const told = await walk((at) => ({ sends: sends[at] ?? [], next: at + 1 < sends.length ? at + 1 : undefined }));
  expect(told.map(({ contact_id }) => contact_id)).toEqual(['5', '4', '3', '2']);
});

test.each([
  ['of three pages', (at: number) => ({ sends: [send(at)], next: (at + 1) % 3 })],
  ['behind five pages', (at: number) => ({ sends: [send(at)], next: at === 20 ? 5 : at + 1 })],
  [
    'of a page that is never told to be the same',
    // Its first send is older than its last, as if it began behind itself.
    () => ({ sends: [{ ...send(1), send_date: '2025-01-01T00:00:00.000Z' }, send(2)], next: 0 }),
  ],
  ['of sends without a date', (at: number) => ({ sends: [{ ...send(at), send_date: '' }], next: (at + 1) % 4 })],
])('a walk whose cursors form a cycle ends: %s', async (_, pageAt) => {
  await expect(walk(pageAt)).rejects.toMatchObject({ code: 'upstream-failed', reason: 'circle' });
});

test('a walk that only repeats earlier pages under new cursors ends', async () => {
  const repeating = walk((at) => ({ sends: [send(at % 2)], next: at + 1 }));
  await expect(repeating).rejects.toMatchObject({ code: 'upstream-failed', reason: 'circle' });
});

describe('a reader', () => {
  test('that is slow slows the walk', async () => {
    await begin(300_000);
    const answer = await open('/campaigns/1/sends.csv');
    answer.once('data', () => answer.pause());
    let asked = -1;
    await until(async () => {
      const before = asked;
      asked = pagesAsked();
      await new Promise((resolve) => setTimeout(resolve, 40));
      return asked > 0 && asked === before && pagesAsked() === asked;
    }, 'the walk stands still');
    // What the sockets between the two take is not in our hands; the rest is not asked for.
    expect(asked).toBeLessThan(400);
    answer.destroy();
  });

  test('that disconnects stops the walk within a page', async () => {
    await begin(300_000, { SENDGATE_QUOTA_PER_SECOND: '20' });
    const answer = await open('/campaigns/1/sends.csv');
    await once(answer, 'data');
    await until(() => pagesAsked() >= 3, 'the walk goes on');
    answer.destroy();
    await until(() => it.lines.some((line) => line.includes('"status":499')), 'the end is logged');
    const asked = pagesAsked();
    it.clock.forward(60);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(pagesAsked() - asked).toBeLessThanOrEqual(1);
  });

  test('that reads nothing for too long is disconnected', async () => {
    await begin(300_000, { SENDGATE_EXPORTS_PATIENCE_SECONDS: '1' });
    const answer = await open('/campaigns/1/sends.csv');
    await until(() => it.lines.some((line) => line.includes('sends.csv')), 'the connection is closed');
    expect(it.lines.at(-1)).toContain('"status":499');
    await expect(once(answer.resume(), 'end')).rejects.toThrow(/aborted|ECONNRESET/);
  });
});

describe('when Constant Contact fails', () => {
  test('at the first page, the answer is a problem', async () => {
    await begin(3);
    expect((await it.get('/campaigns/99/sends.csv')).status).toBe(404);
    it.sandbox.fault({ kind: 'status', status: 500 });
    const answer = await it.get('/campaigns/1/sends.csv');
    expect(answer.status).toBe(502);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('content-disposition')).toBeNull();
  });

  test('for a while, the export waits and retries', async () => {
    const campaign = await begin(3_000);
    const answer = await open('/campaigns/1/sends.ndjson');
    it.sandbox.fault({ kind: 'status', status: 500, times: 4 });
    let text = '';
    for await (const part of answer) text += part;
    expect(fromNdjson(text).map(told)).toEqual(truth(campaign));
  });

  test('permanently, the connection is reset, never closed as if complete', async () => {
    await begin(100_000, { SENDGATE_EXPORTS_PATIENCE_SECONDS: '1' });
    const answer = await open('/campaigns/1/sends.csv');
    answer.once('data', () => it.sandbox.fault({ kind: 'status', status: 500 }));
    await expect(once(answer.resume(), 'end')).rejects.toThrow(/aborted|ECONNRESET/);
    await until(() => it.lines.some((line) => line.includes('"problem":"upstream-failed"')), 'the log tells why');
    expect(it.lines.at(-1)).toContain('"status":502');
    const metrics = await (await fetch(`${it.service.managementUrl}/metrics`)).text();
    expect(metrics).toMatch(/^sendgate_requests_total\{route="\/campaigns\/:id\/sends.csv",status="502".*\} 1$/m);
  });

  test.each([
    ['for good', 502, () => it.sandbox.fault({ kind: 'status', status: 500 })],
    ['until Sendgate is stopped', 503, () => void it.service.stop()],
  ])(
    '%s, a proxy that treats a closed connection as the end sees a reset, and the log has %i',
    async (_, status, happens) => {
      const env = { SENDGATE_EXPORTS_PATIENCE_SECONDS: '1', SENDGATE_SERVER_DRAIN_TIMEOUT_MS: '300' };
      await begin(100_000, { SENDGATE_QUOTA_PER_SECOND: '20', ...env });
      const url = `${it.url}${targetOf('/campaigns/1/sends.csv')}`;
      const reading = run('curl', ['--http1.0', '-s', '-o', '/dev/null', url]);
      await until(() => pagesAsked() >= 2, 'the export has begun');
      happens();
      // curl: "Failure with receiving network data."
      await expect(reading).rejects.toMatchObject({ code: 56 });
      await until(() => it.lines.some((line) => line.includes(`"status":${status}`)), 'it is logged');
    },
  );

  test('or Sendgate itself does, the connection is reset and the error logged', async () => {
    await begin(2_000);
    const { pages } = it.service;
    const get = pages.get.bind(pages);
    pages.get = async (query, ask) => (query.kind === 'first' ? get(query, ask) : ({ page: {} } as Lookup));
    await expect(it.get('/campaigns/1/sends.csv').then((answer) => answer.text())).rejects.toThrow();
    await until(() => it.lines.some((line) => line.includes('"problem":"internal-error"')), 'the request is logged');
    expect(it.lines.filter((line) => line.includes('"status":500'))).toHaveLength(1);
    expect(it.lines.filter((line) => line.includes('unexpected error'))).toHaveLength(1);
  });

  test("as the day's quota is spent, the export ends without retries", async () => {
    await begin(100_000, { SENDGATE_QUOTA_PER_DAY: '20', SENDGATE_QUOTA_RESERVE: '0' });
    const answer = await open('/campaigns/1/sends.csv');
    await expect(once(answer.resume(), 'end')).rejects.toThrow(/aborted|ECONNRESET/);
    await until(() => it.lines.some((line) => line.includes('"problem":"upstream-quota-exhausted"')), 'why');
    expect(it.lines.filter((line) => line.includes('"status":503'))).toHaveLength(1);
    expect((await it.get('/campaigns/2/sends.csv')).status).toBe(503);
  });
});

describe('the resource', () => {
  test.each(['sends.csv', 'sends.ndjson'])('%s accepts the parameters of an export and no other', async (name) => {
    await begin(3);
    const answer = await it.get(`/campaigns/1/${name}?limit=5&next=x&created_since=2026-02-30`);
    expect(answer.status).toBe(400);
    const { errors } = (await answer.json()) as { errors: { parameter: string; allowed: string }[] };
    expect(errors.map(({ parameter }) => parameter)).toEqual(['limit', 'next', 'created_since']);
    expect(errors[0]?.allowed).toBe(name.endsWith('.csv') ? 'created_since, bom' : 'created_since');
    expect((await it.get(`/campaigns/1/${name}`, { accept: 'application/json' })).status).toBe(406);
    expect((await fetch(`${it.url}${targetOf(`/campaigns/1/${name}`)}`, { method: 'POST' })).status).toBe(405);
    const head = await fetch(`${it.url}${targetOf(`/campaigns/1/${name}`)}`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-disposition')).toContain('attachment');
    expect(await head.text()).toBe('');
  });

  test.each([
    ...['/campaigns/1/sends.csv', '/campaigns/1/sends.ndjson', '/campaigns/1/opens', '/campaigns/1/clicks?link_id=1'],
    ...['/campaigns/1/unsubscribes.csv', '/campaigns/1/summary', '/campaigns/1/links', '/campaigns/1', '/campaigns'],
    ...['/campaigns.csv', '/status'],
  ])('%s has the same guards as pages, and reveals nothing about the upstream', async (path) => {
    const teams = [{ name: 'web', header: { name: 'x-team', value: 'web' } }];
    await begin(3, {
      SENDGATE_CALLERS_REQUIRED: 'true',
      SENDGATE_CONSTANT_CONTACT_RETRIES: '0',
      SENDGATE_SERVER_TRUST_PROXY: 'loopback',
      SENDGATE_TEAMS: JSON.stringify(teams),
    });
    const web = { 'x-team': 'web' };
    expect((await it.get(path)).status).toBe(401);
    expect((await it.get(path, { ...web, origin: 'https://evil.example' })).status).toBe(403);
    expect((await it.get(path, { ...web, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    it.sandbox.fault({ kind: 'echo' });
    const answer = await it.get(path, web);
    const said = `${await answer.text()}${JSON.stringify([...answer.headers])}${it.lines.join('')}`;
    expect(answer.status).toBe(path === '/status' ? 200 : 502);
    for (const secret of [apiKey, accessToken, ...Object.values(oauth), 'api_key', 'tracking']) {
      expect(said).not.toContain(secret);
    }
  });

  test('is limited by slots per team', async () => {
    await begin(300_000, { SENDGATE_EXPORTS_PER_TEAM: '2' });
    const running = [await open('/campaigns/1/sends.csv'), await open('/campaigns/1/sends.ndjson', '127.0.0.2')];
    expect(running.map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    const third = await it.get('/campaigns/1/sends.csv');
    expect(third.status).toBe(429);
    expect(third.headers.get('retry-after')).toBe('10');
    running[0]?.destroy();
    await until(async () => {
      const again = await open('/campaigns/1/sends.csv');
      again.destroy();
      return again.statusCode === 200;
    }, 'a place is free');
    running[1]?.destroy();
  });
});
