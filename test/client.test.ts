/**
 * The client, as programs use it: in Node and in a browser, through whatever may pass.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createClient, type Send, SendgateError } from '../src/client/client.ts';
import type { Campaign } from '../src/sandbox/campaign.ts';
import { launch } from './support/browser.ts';
import { type Environment, type Harness, start, until } from './support/harness.ts';

const many = 50_000;
let it: Harness;
afterEach(() => it?.close());

async function begin(size: number, env: Environment = {}): Promise<Campaign> {
  it = await start(env);
  return it.sandbox.campaign({ id: '1', size, newestMs: Date.now() - 30 * 86_400_000 });
}

async function all(sends: AsyncIterable<Send>): Promise<Send[]> {
  const told: Send[] = [];
  for await (const send of sends) told.push(send);
  return told;
}

describe('a walk', () => {
  test(`through ${many} sends in Node yields each send once`, async () => {
    const truth = await begin(many);
    const { sends } = createClient({ baseUrl: it.url });
    const told = await all(sends('1'));
    expect(told.length).toBe(many);
    expect(told.every((send, index) => send.email_address === truth.at(index).email)).toBe(true);
  });

  test(`through ${many} sends in a browser, on a page of another origin, yields each send once`, async () => {
    const page = createServer((_req, res) =>
      res.setHeader('Content-Type', 'text/html').end('<!doctype html><title>x</title>'),
    );
    await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
    const truth = await begin(many, { SENDGATE_CALLERS_CORS_ORIGINS: origin });
    const browser = await launch();
    try {
      const tab = await browser.newPage();
      await tab.goto(origin);
      const emails = await tab.evaluate(async (baseUrl) => {
        const { createClient } = (await import(
          `${baseUrl}/assets/client/client.js`
        )) as typeof import('../src/client/client.ts');
        const told: string[] = [];
        for await (const send of createClient({ baseUrl }).sends('1')) told.push(send.email_address);
        return told;
      }, it.url);
      expect(emails.length).toBe(many);
      expect(emails.every((email, index) => email === truth.at(index).email)).toBe(true);
    } finally {
      await browser.close();
      page.close();
    }
  }, 60_000);

  test('can start at an instant, set the page size, and continue from a page', async () => {
    const truth = await begin(1_000);
    const { sends, pages, summary } = createClient({ baseUrl: `${it.url}/` });
    const since = new Date(truth.at(99).atMs);
    expect((await all(sends('1', { createdSince: since }))).length).toBe(100);
    expect((await all(sends('1', { createdSince: since.toISOString() }))).length).toBe(100);
    const sizes: number[] = [];
    let second: string | undefined;
    for await (const page of pages('1', { limit: 300 })) {
      if (sizes.length === 0) second = page.next;
      sizes.push(page.sends.length);
      expect(page.cacheStatus).toMatch(/^sendgate; /);
    }
    expect(sizes).toEqual([300, 300, 300, 100]);
    const rest: number[] = [];
    for await (const page of pages('1', second === undefined ? {} : { from: second })) rest.push(page.sends.length);
    expect(rest).toEqual([300, 300, 100]);
    expect(await summary('1')).toMatchObject({ campaign_id: '1', sends: 1_000, opens: truth.openers });
  });

  test('yields each send once, even if others arrive meanwhile', async () => {
    const truth = await begin(2_000);
    const before = Array.from({ length: 2_000 }, (_, index) => truth.at(index).email);
    const told: string[] = [];
    for await (const { email_address } of createClient({ baseUrl: it.url }).sends('1')) {
      told.push(email_address);
      if (told.length === 100) {
        it.sandbox.addSends('1', 150);
        it.clock.forward(70);
        await it.get('/campaigns/1/sends', { 'cache-control': 'no-cache' });
      }
    }
    expect(told).toEqual(before);
  });

  test('ends when its reader stops', async () => {
    await begin(many);
    for await (const _ of createClient({ baseUrl: it.url }).sends('1')) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(it.sandbox.callCount).toBeLessThanOrEqual(2);
  });
});

describe('a transient error', () => {
  test('is retried when Retry-After says', async () => {
    await begin(3, { SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1' });
    const client = createClient({ baseUrl: it.url });
    await client.status();
    const asked: number[] = [];
    const counted = createClient({
      baseUrl: it.url,
      fetch: (...args) => {
        asked.push(performance.now());
        return fetch(...args);
      },
    });
    // All but a second of the minute has passed: Retry-After says 1.
    it.clock.forward(58.9);
    expect((await all(counted.sends('1'))).length).toBe(3);
    expect(asked.length).toBeGreaterThan(1);
    expect((asked[1] ?? 0) - (asked[0] ?? 0)).toBeGreaterThan(900);
  });

  test.each(['0', 'Wed, 25 Nov 2026 12:00:00 GMT', 'soon'])(
    'is retried with pauses when Retry-After is %s',
    async (after) => {
      await begin(3);
      let asked = 0;
      const refused = async () => {
        asked++;
        return new Response('', { status: 503, headers: { 'retry-after': after } });
      };
      const { status } = createClient({ baseUrl: it.url, patienceSeconds: 2, fetch: refused });
      await expect(status()).rejects.toMatchObject({ code: 'unreadable', status: 503 });
      expect(asked).toBeLessThanOrEqual(2);
    },
  );

  test('is not retried beyond patience', async () => {
    await begin(3, { SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1' });
    await createClient({ baseUrl: it.url }).status();
    const started = performance.now();
    const impatient = createClient({ baseUrl: it.url, patienceSeconds: 5 });
    await expect(impatient.status()).rejects.toMatchObject({ code: 'rate-limited', status: 429 });
    expect(performance.now() - started).toBeLessThan(20_000); // It was told to wait a minute.
  });

  test('is a failure of Constant Contact or of the connection', async () => {
    const truth = await begin(1_200, { SENDGATE_CACHE_NOT_FOUND_SECONDS: '1' });
    let broken = 2;
    const { sends } = createClient({
      baseUrl: it.url,
      fetch: (...args) => (broken-- > 0 ? Promise.reject(new TypeError('fetch failed')) : fetch(...args)),
    });
    it.sandbox.fault({ kind: 'status', status: 500, times: 3 });
    expect((await all(sends('1'))).map(({ email_address }) => email_address)).toEqual(
      Array.from({ length: 1_200 }, (_, index) => truth.at(index).email),
    );
  });
});

describe('a lasting error', () => {
  test('has a code to switch on', async () => {
    await begin(3);
    const { sends, summary } = createClient({ baseUrl: it.url });
    const error = await all(sends('99')).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(SendgateError);
    expect(error).toMatchObject({
      code: 'campaign-not-found',
      status: 404,
      problem: { type: '/problems/campaign-not-found' },
    });
    await expect(summary('../status')).rejects.toMatchObject({ code: 'invalid-request' });
    it.sandbox.fault({ kind: 'status', status: 403 });
    await expect(summary('1')).rejects.toMatchObject({ code: 'upstream-credentials-refused' });
  });

  test('is thrown when another server answers, or none', async () => {
    await begin(3);
    const elsewhere = createServer((_req, res) => res.writeHead(403).end('<html>no'));
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const { port } = elsewhere.address() as AddressInfo;
    const { status } = createClient({ baseUrl: `http://127.0.0.1:${port}` });
    await expect(status()).rejects.toMatchObject({ code: 'unreadable', status: 403 });
    elsewhere.close();
    await expect(createClient({ baseUrl: 'http://127.0.0.1:1', patienceSeconds: 10 }).status()).rejects.toMatchObject({
      name: 'TypeError',
    });
  });

  test('an abort ends a walk and its pauses', async () => {
    await begin(3_000);
    const walk = new AbortController();
    const { sends, status } = createClient({ baseUrl: it.url });
    const told: Send[] = [];
    const reading = (async () => {
      for await (const send of sends('1', { signal: walk.signal })) {
        told.push(send);
        if (told.length === 10) walk.abort(new Error('enough'));
      }
    })();
    await expect(reading).rejects.toThrow('enough');
    expect(told.length).toBe(500);

    const waiting = createClient({ baseUrl: it.url, fetch: () => Promise.reject(new TypeError('fetch failed')) });
    const wait = new AbortController();
    const pending = waiting.status({ signal: wait.signal });
    setTimeout(() => wait.abort(new Error('later')), 50);
    await expect(pending).rejects.toThrow('later');
    await until(async () => (await status()).queues.length > 0, 'Sendgate goes on');
  });

  test('a token is sent to Sendgate only, as given', async () => {
    await begin(3);
    const seen: unknown[] = [];
    const { status } = createClient({
      baseUrl: it.url,
      token: 'team-token',
      fetch: (url, init) => {
        seen.push(url, init?.headers);
        return fetch(url, init);
      },
    });
    await status();
    expect(seen).toEqual([`${it.url}/status`, { accept: 'application/json', authorization: 'Bearer team-token' }]);
  });
});

test.each(['', 'localhost:8080', 'sendgate.example.com', '/ctct', 'ftp://sendgate.example.com'])(
  'a base address that is none of the web is refused at once: %j',
  (baseUrl) => {
    expect(() => createClient({ baseUrl })).toThrow(/^baseUrl is not a web address/);
  },
);
