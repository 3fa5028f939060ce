/**
 * The fast path and Express respond alike: random requests go to a Sendgate with the fast path and to one without, on a
 * stopped clock, and the responses are compared byte for byte. `FUZZ_REQUESTS` and `FUZZ_SEED` send more and others.
 */
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Page } from '../src/cache/page.ts';
import type { PageQuery } from '../src/model/page-query.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf } from '../src/sandbox/v3.ts';
import { FakeClock } from './support/clock.ts';
import { type Environment, type Harness, startInstance, startSandbox, until } from './support/harness.ts';

/** Time for which ids are gathered into one call. */
const gatherMs = 5;
const numRuns = Number(process.env['FUZZ_REQUESTS'] ?? 400);
const seed = Number(process.env['FUZZ_SEED'] ?? 20_260_101);

const digest = (token: string) => createHash('sha256').update(token).digest('hex');
const teams = [
  { name: 'web', tokensSha256: [digest('token-of-web')] },
  { name: 'office', networks: ['10.1.0.0/16'] },
  { name: 'jobs', header: { name: 'x-team', value: 'jobs' } },
];

interface Setup {
  readonly version: 'v2' | 'v3';
  readonly base: string;
  readonly env: Environment;
}

const setups: Readonly<Record<string, Setup>> = {
  'v2, known teams alone, and programs that were written for v2': {
    version: 'v2',
    base: '',
    env: {
      SENDGATE_TEAMS: JSON.stringify(teams),
      SENDGATE_CALLERS_REQUIRED: 'true',
      SENDGATE_SERVER_TRUST_PROXY: 'loopback',
      SENDGATE_SERVER_DROP_IN_V2: 'true',
    },
  },
  'v3, a base path, and a limit that is often met': {
    version: 'v3',
    base: '/ctct',
    env: {
      SENDGATE_SERVER_BASE_PATH: '/ctct',
      SENDGATE_SERVER_ALLOWED_HOSTS: 'sendgate.example.com',
      SENDGATE_CALLERS_CORS_ORIGINS: 'https://dashboard.example.com',
      SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '60',
    },
  },
};

interface Question {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly isKeptAlive: boolean;
  /** Seconds that pass before it. */
  readonly after: number;
  /** Sends of campaign 1 that arrive before it. */
  readonly news: number;
}

/** Nineteen times of twenty the first. */
const mostly = <T>(first: T, ...others: readonly T[]) =>
  fc.oneof({ weight: 19, arbitrary: fc.constant(first) }, { weight: 1, arbitrary: fc.constantFrom(...others) });

describe.each(Object.entries(setups))('with %s', (_, { version, base, env }) => {
  const clock = new FakeClock();
  const sandboxes: Sandbox[] = [];
  let short: Harness;
  let long: Harness;
  let hits = 0;
  let lastQuery: PageQuery | undefined;
  let etag = '';
  let cursor = '';
  const agents = [
    new Agent({ keepAlive: true, maxSockets: 1 }),
    new Agent({ keepAlive: true, maxSockets: 1 }),
  ] as const;

  const id = (campaign: string) => (version === 'v3' ? activityIdOf(campaign) : campaign);
  const plain: Question = {
    ...{ method: 'GET', target: `${base}/campaigns/${id('1')}/sends`, isKeptAlive: true, after: 0, news: 0 },
    headers: { authorization: 'Bearer token-of-web', host: 'localhost', 'x-request-id': 'of-a-test' },
  };

  async function startOne(): Promise<Harness> {
    const sandbox = await startSandbox({ clock });
    sandboxes.push(sandbox);
    sandbox.campaign({ id: '1', size: 900, newestMs: clock.now() - 3_600_000 });
    sandbox.campaign({ id: '2', size: 3, newestMs: clock.now() - 86_400_000 });
    sandbox.campaign({ id: '3', size: 0, newestMs: clock.now() });
    sandbox.campaign({ id: '4', size: 3, newestMs: clock.now() });
    sandbox.fault({ kind: 'status', status: 400, campaign: '4' });
    const harness = await startInstance(sandbox, clock, { SENDGATE_CACHE_READ_AHEAD_PAGES: '0', ...env }, version);
    // What is fetched before it is asked for arrives while the clock goes on, at a time that differs between the two.
    harness.service.pages.prefetch = async () => undefined;
    return harness;
  }

  beforeAll(async () => {
    short = await startOne();
    long = await startOne();
    const { hit } = short.service.pages;
    short.service.pages.hit = (...values) => {
      const found = hit.apply(short.service.pages, values);
      if (found) hits++;
      return found;
    };
    long.service.pages.hit = () => undefined;
    const { get } = long.service.pages;
    long.service.pages.get = (query, ask) => {
      lastQuery = query;
      return get.call(long.service.pages, query, ask);
    };
    const [first] = await bothAnswersTo(plain);
    etag = /ETag: (.*)/.exec(first)?.[1] ?? '';
    cursor = /next=([^&"<>]+)/.exec(first)?.[1] ?? '';
  });
  afterAll(async () => {
    for (const agent of agents) agent.destroy();
    await Promise.all([short.close(), long.close()]);
    await Promise.all(sandboxes.map((sandbox) => sandbox.stop()));
  });

  function questions(): fc.Arbitrary<Question> {
    const encoded = `%${id('1').charCodeAt(0).toString(16)}${id('1').slice(1)}`;
    const campaign = mostly(id('1'), id('2'), id('3'), id('4'), id('404'), 'abc', encoded, '0', '1'.repeat(21));
    const others = ['opens', 'clicks', 'bounces', 'forwards', 'unsubscribes', 'summary', 'links', ''];
    const resource = mostly('sends', 'sends/', 'sends.csv', 'sends/summary', 'Sends', ...others);
    const path = fc.oneof(
      { weight: 12, arbitrary: fc.tuple(campaign, resource).map(([one, name]) => `/campaigns/${one}/${name}`) },
      { weight: 1, arbitrary: campaign.map((one) => `/v2/emailmarketing/campaigns/${one}/tracking/sends`) },
      { weight: 1, arbitrary: campaign.map((one) => `/v2/emailmarketing/campaigns/${one}/tracking/clicks/1`) },
      { weight: 1, arbitrary: fc.constantFrom('/', '/nothing', '/openapi.json', '//', '/campaigns') },
    );
    const search = mostly(
      '',
      ...['limit=500', 'limit=1', 'limit=0', 'limit=x', 'limit=1&limit=1', `next=${cursor}`, `next=${cursor}&limit=7`],
      ...['next=', 'next=nonsense', 'created_since=2026-01-01', 'created_since=2025-12-31T00:00:00%2B02:00'],
      ...['created_since=2026-02-30', 'api_key=x', 'access_token=token-of-web', 'other=1', '%zz', 'limit=%35%30%30'],
      ...['link_id=1', 'link_id=x', 'status=sent', 'modified_since=2025-12-01'],
    );
    const headers = fc.record({
      accept: mostly('*/*', 'application/json', 'text/csv', 'text/*;q=0.1, */*;q=0', 'nonsense', ''),
      'accept-encoding': fc.constantFrom('br, gzip', 'gzip', '', 'br;q=0', 'identity;q=0', '*', 'gzip;q=0.5, br;q=0.1'),
      'if-none-match': mostly('', etag, '*', 'W/"another"', `"x", ${etag}`, 'nonsense'),
      'if-modified-since': mostly('', new Date(clock.now()).toUTCString(), 'Thu, 01 Jan 1970 00:00:00 GMT', 'x'),
      'cache-control': mostly('', 'no-cache', 'max-age=0', 'max-age=30', 'max-age=x', 'only-if-cached'),
      authorization: mostly('Bearer token-of-web', '', 'Bearer of-nobody', 'Basic eDp5'),
      'x-forwarded-for': mostly('', '10.1.2.3', '10.2.2.3', 'x', '10.1.2.3, 10.9.9.9'),
      'x-team': mostly('', 'jobs', 'nobody'),
      'x-request-id': fc.constantFrom('of-a-test', '', 'with space', 'x'.repeat(300)),
      host: mostly('localhost', 'sendgate.example.com', 'evil.example', ''),
      origin: mostly('', 'https://dashboard.example.com', 'https://evil.example', 'null'),
      'sec-fetch-site': mostly('', 'same-origin', 'cross-site'),
      range: mostly('', 'bytes=0-9'),
      expect: mostly('', '100-continue', 'nonsense'),
    });
    return fc
      .record({
        method: mostly('GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE'),
        path,
        search,
        headers,
        isKeptAlive: mostly(true, false),
        after: mostly(0, 1, 61, 400),
        news: mostly(0, 1, 7),
      })
      .map(({ path, search, headers, ...rest }) => ({
        ...rest,
        target: `${base}${path}${search === '' ? '' : `?${search}`}`,
        headers: Object.fromEntries(Object.entries(headers).filter(([name, value]) => value !== '' || name === 'host')),
      }));
  }

  test(`${numRuns} random requests get the same answer ahead of Express and through it`, async () => {
    const isTheSame = fc.asyncProperty(questions(), async (question) => {
      if (question.news > 0) for (const sandbox of sandboxes) sandbox.addSends('1', question.news);
      await clock.pass(question.after * 1_000);
      const [ours, theirs] = await bothAnswersTo(question);
      expect(ours).toBe(theirs);
      expect(sandboxes[0]?.callCount).toBe(sandboxes[1]?.callCount);
    });
    await fc.assert(isTheSame, { numRuns, seed });
    expect(hits).toBeGreaterThan(numRuns / 4);
  }, 120_000);

  /** What comes back both ways. Where that was stale, the refresh behind it has come in when this resolves. */
  async function bothAnswersTo(question: Question): Promise<[string, string]> {
    lastQuery = undefined;
    const asked = Promise.all([answerOf(short, agents[0], question), answerOf(long, agents[1], question)]);
    let isAnswered = false;
    const settle = () => {
      isAnswered = true;
    };
    asked.then(settle, settle);
    await goOnUntil(() => isAnswered, 'both answer');
    const answers = await asked;
    const query = lastQuery;
    if (query && /detail=stale/.test(answers[0])) {
      await goOnUntil(() => [short, long].every((one) => isFresh(one.service.pages.peek(query))), 'it is refreshed');
    }
    return answers;
  }
  const isFresh = (page: Page | undefined) => page !== undefined && page.freshUntil > clock.monotonic();

  /** With v3, digits and activities are gathered for some milliseconds: the clock goes on once both do that. */
  const goOnUntil = (test: () => boolean, what: string) =>
    until(async () => {
      if (clock.dueWithin(gatherMs) >= 2) await clock.pass(gatherMs);
      return test();
    }, what);
});

/** All that comes back, as text: the status line, the fields in their order, and the body. */
function answerOf(harness: Harness, agent: Agent, { method, target, headers, isKeptAlive }: Question): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(harness.url);
    const options = {
      ...{ hostname, port, method, path: target, setHost: false },
      headers: { ...headers },
      agent: isKeptAlive ? agent : false,
    };
    request(options, (res) => {
      const parts: Buffer[] = [];
      res.on('data', (part) => parts.push(part));
      res.on('error', reject);
      res.on('end', () => {
        const { httpVersion, statusCode, statusMessage, rawHeaders } = res;
        const fields = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
        const head = [`HTTP/${httpVersion} ${statusCode} ${statusMessage}`, ...fields].join('\n');
        resolve(withoutItsOwn(`${head}\n\n${Buffer.concat(parts).toString('latin1')}`));
      });
    })
      .on('error', reject)
      .end();
  });
}

/** Without what differs between two processes: the time of day, ids of requests, and names of clients. */
function withoutItsOwn(answer: string): string {
  const id = /^X-Request-Id: (.*)$/im.exec(answer)?.[1] ?? '\0';
  return answer
    .replaceAll(id, '<id>')
    .replace(/^Date: .*$/m, 'Date: <now>')
    .replace(/(?<=; pk=:)[\w+/]+(?=:$)/m, '<client>');
}
