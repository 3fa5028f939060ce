/**
 * The client, as programs use it: in Node and in a browser, through whatever may pass.
 */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { type Client, createClient, type ReportName, type Send, SendgateError } from '../src/client/client.ts';
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

async function all<Row>(rows: AsyncIterable<Row>): Promise<Row[]> {
  const told: Row[] = [];
  for await (const row of rows) told.push(row);
  return told;
}

const others: (() => unknown)[] = [];
afterEach(() => {
  for (const close of others.splice(0)) close();
});

/** Something else than Sendgate. @returns its address */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  others.push(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Call = (client: Client, id: string) => Promise<unknown>;
const calls: [string, Call][] = [
  ['report', (client, id) => all(client.report(id, 'opens'))],
  ['reportPages', (client, id) => all(client.reportPages(id, 'opens'))],
  ['sends', (client, id) => all(client.sends(id))],
  ['pages', (client, id) => all(client.pages(id))],
  ['campaign', (client, id) => client.campaign(id)],
  ['summary', (client, id) => client.summary(id)],
  ['links', (client, id) => client.links(id)],
  ['campaigns', (client) => all(client.campaigns())],
  ['campaignPages', (client) => all(client.campaignPages())],
  ['status', (client) => client.status()],
];
const callsOfCampaign = calls.slice(0, 7);

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

  test.each(['0', 'Wed, 25 Nov 2020 12:00:00 GMT', 'soon', '-5', '2099-01-01', '1.5'])(
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

  const noon = Date.parse('2026-11-25T12:00:00Z');
  const at = (second: number) => new Date(noon + second * 1000).toUTCString();

  test.each([
    ['40', undefined, [0, 40, 80]],
    [at(40), undefined, [0, 40]],
    // A clock that differs from the client's. Both dates are the server's.
    [at(4_000_040), at(4_000_000), [0, 40, 80]],
    // Each has the same meaning (RFC 9110, section 5.6.7).
    ['Wednesday, 25-Nov-26 12:00:40 GMT', at(0), [0, 40, 80]],
    ['Wed Nov 25 12:00:40 2026', at(0), [0, 40, 80]],
  ])('is retried when Retry-After says, within patience: %s, when it is %s', async (after, date, expected) => {
    jest.useFakeTimers({ now: noon });
    try {
      const askedAt: number[] = [];
      const refused: typeof fetch = async () => {
        askedAt.push(Math.round((Date.now() - noon) / 1000));
        return new Response('', { status: 503, headers: { 'retry-after': after, ...(date && { date }) } });
      };
      const { status } = createClient({ baseUrl: 'http://127.0.0.1:1', patienceSeconds: 100, fetch: refused });
      const outcome = status().catch((error: unknown) => error);
      await jest.advanceTimersByTimeAsync(200_000);
      expect(await outcome).toMatchObject({ code: 'unreadable', status: 503 });
      expect(askedAt.slice(0, expected.length)).toEqual(expected);
    } finally {
      jest.useRealTimers();
    }
  });

  test.each(['9999999999', 'Fri, 31 Dec 9999 23:59:59 GMT'])(
    'is not retried early when Retry-After is beyond any timer: %s',
    async (after) => {
      jest.useFakeTimers();
      try {
        let asked = 0;
        const refused: typeof fetch = async () => {
          asked++;
          return new Response('', { status: 503, headers: { 'retry-after': after } });
        };
        const abort = new AbortController();
        const client = createClient({ baseUrl: 'http://127.0.0.1:1', patienceSeconds: Infinity, fetch: refused });
        const outcome = client.status({ signal: abort.signal }).catch((error: unknown) => error);
        await jest.advanceTimersByTimeAsync(3_600_000);
        abort.abort('enough');
        expect([await outcome, asked]).toEqual(['enough', 1]);
      } finally {
        jest.useRealTimers();
      }
    },
  );

  test('is not retried if patience is no number', async () => {
    const { fetch, asked } = unasked();
    const client = createClient({ baseUrl: 'http://127.0.0.1:1', patienceSeconds: Number.NaN, fetch });
    await expect(client.status()).rejects.toThrow('fetch failed 1');
    expect(asked.length).toBe(1);
  });

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
    await expect(createClient({ baseUrl: 'http://127.0.0.1:1', patienceSeconds: 0 }).status()).rejects.toMatchObject({
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
    expect(told.length).toBe(10);

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

test('a redirect takes no token to another origin, not even of the same host', async () => {
  const seen: unknown[] = [];
  const other = await serve(({ headers }, res) => {
    seen.push(headers.authorization);
    res.end('{"campaign_id":"1"}');
  });
  const baseUrl = await serve(({ url, headers }, res) => {
    seen.push(headers.authorization);
    res.writeHead(308, { location: `${other}${url}` }).end();
  });
  await createClient({ baseUrl, token: 'team-token' }).summary('1');
  expect(seen).toEqual(['Bearer team-token', undefined]);
});

test.each(['', 'localhost:8080', 'sendgate.example.com', '/ctct', 'ftp://sendgate.example.com'])(
  'a base address that is none of the web is refused at once: %j',
  (baseUrl) => {
    expect(() => createClient({ baseUrl })).toThrow(/^baseUrl is not a web address/);
  },
);

test('a base address may be a URL', async () => {
  await begin(3);
  const { summary, sends } = createClient({ baseUrl: new URL(it.url) });
  expect(await summary('1')).toMatchObject({ sends: 3 });
  expect((await all(sends('1'))).length).toBe(3);
});

test.each(['http://127.0.0.1:1/?team=a', 'http://127.0.0.1:1/#a', 'http://127.0.0.1:1?', 'http://a:b@127.0.0.1:1'])(
  'a base address to which no path can be added is refused at once: %s',
  (baseUrl) => {
    for (const given of [baseUrl, new URL(baseUrl)]) {
      expect(() => createClient({ baseUrl: given })).toThrow(TypeError);
      expect(() => createClient({ baseUrl: given })).toThrow(/^baseUrl has /);
    }
  },
);

describe('what is not an answer of Sendgate is unreadable', () => {
  const words = 'status 200 from something other than Sendgate, perhaps a proxy in front of it';

  /** What a call throws, for each of the bodies. */
  async function thrown(call: Call, bodies: readonly string[], status: number, type: string): Promise<unknown[]> {
    const left = [...bodies];
    const baseUrl = await serve((_req, res) => res.writeHead(status, { 'content-type': type }).end(left.shift()));
    const client = createClient({ baseUrl });
    const errors: unknown[] = [];
    for (const _ of bodies) errors.push(await call(client, '1').catch((error: unknown) => error));
    return errors;
  }

  test.each(calls)('with status 200: %s', async (_, call) => {
    const page = '{"meta":{"pagination":null},"results":{}}';
    const bodies = ['<!doctype html><title>Log in</title>', '{"ok":true}', 'null', '[]', '"', '', page];
    const errors = await thrown(call, bodies, 200, 'application/json');
    for (const [index, error] of errors.entries()) {
      expect([bodies[index], error]).toEqual([bodies[index], expect.any(SendgateError)]);
      expect(error).toMatchObject({ code: 'unreadable', status: 200, problem: undefined, message: words });
    }
  });

  test.each(calls)('after a redirect, too: %s', async (_, call) => {
    const baseUrl = await serve(({ url }, res) =>
      url === '/login' ? res.end('<!doctype html>') : res.writeHead(302, { location: '/login' }).end(),
    );
    await expect(call(createClient({ baseUrl }), '1')).rejects.toMatchObject({ code: 'unreadable', status: 200 });
  });

  test.each(calls)('as a problem: %s', async (_, call) => {
    const rest = '"title":"a","detail":"b","instance":"c"';
    const bodies = [
      ...['', 'null', '[]', '<html>', '{"title":"Forbidden"}', `{"type":"about:blank",${rest}}`],
      `{"type":"https://proxy.example/problems/not-found",${rest}}`,
      `{"type":"//proxy.example/problems/not-found",${rest}}`,
      `{"type":5,${rest}}`,
      '{"type":"/problems/not-found","title":"a","detail":{},"instance":"c"}',
      ...['{}', '[null]', '["a"]'].map((errors) => `{"type":"/problems/invalid-request",${rest},"errors":${errors}}`),
    ];
    const errors = await thrown(call, bodies, 403, 'application/problem+json');
    for (const [index, error] of errors.entries()) {
      expect([bodies[index], error]).toEqual([bodies[index], expect.any(SendgateError)]);
      expect(error).toMatchObject({ code: 'unreadable', status: 403, problem: undefined });
    }
  });
});

test.each(['null', '5', '"http://["', '"http://127.0.0.1:1/campaigns?next=1"'])(
  'a page whose next one is %s is not one of Sendgate',
  async (next) => {
    const asked: unknown[] = [];
    const baseUrl = await serve((_req, res) => res.end(`{"meta":{"pagination":{"next_link":${next}}},"results":[]}`));
    const counted: typeof fetch = (url, init) => {
      asked.push(url);
      return fetch(url, init);
    };
    const { campaignPages } = createClient({ baseUrl, token: 'x', fetch: counted });
    await expect(all(campaignPages())).rejects.toMatchObject({ code: 'unreadable', status: 200 });
    expect(asked).toEqual([`${baseUrl}/campaigns`]);
  },
);

describe('a body that breaks off', () => {
  test.each([200, 404])('is a failed connection, which is retried: with status %d', async (status) => {
    const text = status === 200 ? '{"campaign_id":"1"}' : problemJson;
    const headers = { 'content-type': 'application/problem+json', 'content-length': text.length };
    let asked = 0;
    const baseUrl = await serve((_req, res) => {
      res.writeHead(status, headers);
      if (++asked === 1) res.write(text.slice(0, 9), () => setTimeout(() => res.destroy(), 20));
      else res.end(text);
    });
    const answer = createClient({ baseUrl }).summary('1');
    await (status === 200
      ? expect(answer).resolves.toEqual({ campaign_id: '1' })
      : expect(answer).rejects.toMatchObject({ code: 'campaign-not-found', status: 404 }));
    expect(asked).toBe(2);
  });

  test('because of an abort throws its reason, and nothing is asked again', async () => {
    let asked = 0;
    const baseUrl = await serve((_req, res) => {
      asked++;
      res.writeHead(200).write('{"campaign_id":');
    });
    const abort = new AbortController();
    const answer = createClient({ baseUrl }).summary('1', { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('enough')), 100);
    await expect(answer).rejects.toThrow('enough');
    expect(asked).toBe(1);
  });
});

test('a problem with an empty body is retried when its status is transient', async () => {
  let asked = 0;
  const headers = { 'content-type': 'application/problem+json', 'retry-after': '1' };
  const baseUrl = await serve((_req, res) =>
    ++asked === 1 ? res.writeHead(503, headers).end() : res.end('{"campaign_id":"1"}'),
  );
  expect(await createClient({ baseUrl }).summary('1')).toEqual({ campaign_id: '1' });
});

test('a problem is that of a Sendgate with a base path, too', async () => {
  const text = problemJson.replace('/problems', '/ctct/problems');
  const baseUrl = await serve((_req, res) =>
    res.writeHead(404, { 'content-type': 'application/problem+json' }).end(text),
  );
  await expect(createClient({ baseUrl }).summary('1')).rejects.toMatchObject({
    ...{ code: 'campaign-not-found', problem: { detail: 'b' } },
  });
});

const problemJson = '{"type":"/problems/campaign-not-found","title":"a","status":404,"detail":"b","instance":"c"}';

/** Counts requests, and makes none. */
function unasked(): { readonly fetch: typeof fetch; readonly asked: string[] } {
  const asked: string[] = [];
  return { asked, fetch: async (url) => Promise.reject(new TypeError(`fetch failed ${asked.push(String(url))}`)) };
}

test.each(callsOfCampaign)('an id that no request can have is refused without one: %s', async (_, call) => {
  const { fetch, asked } = unasked();
  const client = createClient({ baseUrl: 'http://127.0.0.1:1', fetch });
  for (const id of ['', '.', '..', '\ud800']) {
    const error = await call(client, id).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toBe(`TypeError: no campaign has the id ${JSON.stringify(id)}`);
  }
  expect(asked).toEqual([]);
});

test.each(['a\nb', '\na', 'a\0b', '…', '\ufeffa'])(
  'a token that no header can have is refused without a request: %j',
  async (token) => {
    const { fetch, asked } = unasked();
    const error = await createClient({ baseUrl: 'http://127.0.0.1:1', token, fetch })
      .status()
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toMatch(/^TypeError: token /);
    expect(String(error)).not.toContain(token);
    expect(asked).toEqual([]);
  },
);

test('a report that there is not is refused without a request', async () => {
  const { fetch, asked } = unasked();
  const { report, reportPages } = createClient({ baseUrl: 'http://127.0.0.1:1', fetch });
  for (const name of ['likes', '', '../../status', 'toString']) {
    for (const read of [report, reportPages]) {
      const error = await all<unknown>(read('1', name as ReportName)).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).toBe(
        `TypeError: no report has the name ${JSON.stringify(name)}, only sends, opens, clicks, bounces, forwards, unsubscribes`,
      );
    }
  }
  expect(asked).toEqual([]);
});

test('a date that is none is refused without a request, with the name of its parameter', async () => {
  const { fetch, asked } = unasked();
  const { report, sends, campaigns } = createClient({ baseUrl: 'http://127.0.0.1:1', fetch });
  const since = new Date('soon');
  const walks: [AsyncIterable<unknown>, string][] = [
    [report('1', 'opens', { createdSince: since }), 'created_since'],
    [sends('1', { createdSince: since }), 'created_since'],
    [campaigns({ modifiedSince: since }), 'modified_since'],
  ];
  for (const [walk, name] of walks) {
    const error = await all(walk).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toBe(`TypeError: ${name} is an invalid Date`);
  }
  expect(asked).toEqual([]);
});

test('the message of an error names the parameters that are wrong, and what is allowed', async () => {
  await begin(3);
  const { reportPages } = createClient({ baseUrl: it.url });
  const pages = reportPages('1', 'sends', { createdSince: '2026-01-01T00:00', limit: 501 });
  await expect(all(pages)).rejects.toMatchObject({
    code: 'invalid-request',
    message:
      'created_since has no time zone. Allowed: an ISO-8601 date, or a date-time with Z or an offset, such as 2012-12-06T13:06:14.762Z. ' +
      'limit is out of range. Allowed: an integer from 1 to 500.',
  });
});

describe('a page to continue from', () => {
  test.each([
    'http://127.0.0.1:2/campaigns?next=1',
    '//127.0.0.1:2/campaigns',
    'https://127.0.0.1:1/',
    'data:,',
    '//[',
  ])('is refused without a request if it is of another origin: %s', async (from) => {
    const { fetch, asked } = unasked();
    const { campaignPages, reportPages, pages } = createClient({ baseUrl: 'http://127.0.0.1:1', token: 'x', fetch });
    const walks = [campaignPages({ from }), reportPages('1', 'opens', { from }), pages('1', { from })];
    for (const walk of walks) {
      const error = await walk.next().catch((error: unknown) => error);
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).toContain(`from is not a page of http://127.0.0.1:1`);
    }
    expect(asked).toEqual([]);
  });

  test('may lack the origin, as a link in an answer', async () => {
    await begin(1_000);
    const { meta } = (await (await it.get('/campaigns/1/sends?limit=400')).json()) as {
      meta: { pagination: { next_link: string } };
    };
    const from = meta.pagination.next_link;
    expect(from).toMatch(/^\//);
    const found = await all(createClient({ baseUrl: it.url }).pages('1', { from }));
    expect(found.map(({ rows }) => rows.length)).toEqual([400, 200]);
  });
});

describe('a Sendgate that cannot be reached', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Answers requests whose number is given, with one page more each time; refuses the connections of others. */
  function reachable(...answered: number[]) {
    const askedAt: number[] = [];
    const started = performance.now();
    const answer: typeof fetch = async () => {
      const number = askedAt.push((performance.now() - started) / 1000);
      if (!answered.includes(number)) throw new TypeError('fetch failed');
      const isLast = number === answered.at(-1);
      const pagination = isLast ? {} : { next_link: `/campaigns?next=${number}` };
      return Response.json({ meta: { pagination }, results: [{ id: String(number) }] });
    };
    return { fetch: answer, askedAt };
  }

  async function walk(fetch: typeof globalThis.fetch, patienceSeconds: number): Promise<unknown> {
    const { campaignPages } = createClient({ baseUrl: 'http://127.0.0.1:1', patienceSeconds, fetch });
    const outcome = all(campaignPages()).then(
      (pages) => pages.length,
      (error: unknown) => error,
    );
    await jest.advanceTimersByTimeAsync(200_000);
    return outcome;
  }

  test('and never was is tried three times, as one that does not know the origin of a page', async () => {
    jest.useFakeTimers();
    const { fetch, askedAt } = reachable();
    expect(await walk(fetch, 120)).toMatchObject({ name: 'TypeError', message: 'fetch failed' });
    expect(askedAt.map(Math.round)).toEqual([0, 1, 3]);
  });

  test('in the middle of a walk is asked again until it is there', async () => {
    jest.useFakeTimers();
    const { fetch, askedAt } = reachable(1, 5, 9);
    expect(await walk(fetch, 60)).toBe(3);
    expect(askedAt.map(Math.round)).toEqual([0, 0, 1, 3, 7, 7, 8, 10, 14]);
  });

  test('in the middle of a walk is asked until patience ends', async () => {
    jest.useFakeTimers();
    const { fetch, askedAt } = reachable(1, 99);
    expect(await walk(fetch, 40)).toMatchObject({ name: 'TypeError', message: 'fetch failed' });
    expect(askedAt.map(Math.round)).toEqual([0, 0, 1, 3, 7, 15, 30]);
  });

  test('is tried once without patience', async () => {
    jest.useFakeTimers();
    const { fetch, askedAt } = reachable(1, 99);
    expect(await walk(fetch, 0)).toMatchObject({ name: 'TypeError' });
    expect(askedAt.length).toBe(2);
  });
});
