import { execFileSync } from 'node:child_process';
import { closeSync, createReadStream, mkdtempSync, openSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Secrets } from '../src/config/secrets.ts';
import { Health } from '../src/observability/health.ts';
import { createLogs } from '../src/observability/log.ts';
import { logDestination } from '../src/observability/log-destination.ts';
import { wholeLines } from '../src/observability/whole-lines.ts';
import { type Harness, start, until } from './support/harness.ts';

const path = '/campaigns/1/sends';
let it: Harness;

beforeEach(async () => {
  it = await start({ SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
});
afterEach(() => it.close());

const management = (target: string, init: RequestInit = {}) => fetch(`${it.service.managementUrl}${target}`, init);

describe('the management listener', () => {
  test('answers the probes', async () => {
    expect(await (await management('/livez')).json()).toEqual({ status: 'ok' });
    const ready = await management('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ status: 'ready', upstream: 'untested' });
    await it.get(path);
    expect(await (await management('/readyz')).json()).toEqual({ status: 'ready', upstream: 'ok' });
  });

  test('says degraded, with 200, while Constant Contact fails', async () => {
    it.sandbox.fault({ kind: 'status', status: 500 });
    for (let n = 0; n < 10; n++) await it.get(`${path}?limit=${n + 1}`);
    const ready = await management('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ status: 'degraded', upstream: 'failing' });
    it.sandbox.heal();
    it.clock.forward(6);
    await it.get(path);
    expect(await (await management('/readyz')).json()).toEqual({ status: 'ready', upstream: 'ok' });
  });

  test('reports refused credentials and a spent quota, and when they end', async () => {
    it.sandbox.fault({ kind: 'status', status: 403, times: 2 }); // the question's, and the probe's
    expect((await it.get(path)).status).toBe(502);
    expect(await (await management('/readyz')).json()).toMatchObject({ upstream: 'credentials-refused' });
    it.clock.forward(61);
    expect((await it.get(path)).status).toBe(200);
    it.sandbox.fault({ kind: 'over-ratelimit', times: 1 });
    expect((await it.get(`${path}?limit=2`)).status).toBe(503);
    it.clock.forward(86_400);
    expect((await it.get(`${path}?limit=2`)).status).toBe(200);
    expect(await (await management('/readyz')).json()).toEqual({ status: 'ready', upstream: 'ok' });
    const log = it.lines.join('');
    const told = ['credentials_refused', 'credentials_accepted', 'quota_spent', 'quota_available'];
    for (const event of told) expect(log).toContain(`"event":"upstream.${event}"`);
  });

  test('serves metrics', async () => {
    await it.get(path);
    await it.get(path);
    await it.get(`${path}?limit=0`);
    await it.get('/campaigns/404/sends');
    await until(() => it.lines.filter((line) => line.includes('"method"')).length === 4, 'all are logged');
    it.service.metrics.collectProcessMetrics();
    const text = await (await management('/metrics')).text();
    expect(text).toContain('sendgate_requests_total{route="/campaigns/:id/sends",status="200",team="default"} 2');
    expect(text).toContain('sendgate_requests_total{route="/campaigns/:id/sends",status="400",team="default"} 1');
    expect(text).toContain('sendgate_request_duration_seconds_count{cache="fresh"} 1');
    expect(text).toContain('sendgate_request_duration_seconds_count{cache="miss"} 1');
    expect(text).toContain('sendgate_upstream_calls_total{report="sends",outcome="ok",team="default"} 1');
    expect(text).toContain('sendgate_upstream_calls_total{report="sends",outcome="http-404",team="default"} 1');
    expect(text).toContain('sendgate_upstream_call_duration_seconds_count{report="sends"} 2');
    expect(text).toMatch(/sendgate_cache_bytes [1-9]/);
    expect(text).toContain('sendgate_cache_pages 2');
    expect(text).toContain('sendgate_quota_waiting 0');
    expect(text).toContain('sendgate_quota_calls_today 2');
    expect(text).toContain('sendgate_quota_calls_left_today 9998');
    expect(text).toContain('sendgate_upstream_circuit_open 0');
    expect(text).toContain('sendgate_instances 1');
    expect(text).toContain('sendgate_pages_served_total{team="default",report="sends",cache="fresh"} 1');
    expect(text).toContain('sendgate_quota_wait_seconds_count{team="default",urgency="interactive"} 2');
    expect(text).toContain('sendgate_upstream_credentials_refused 0');
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
    expect(text).toContain('process_resident_memory_bytes');
  });

  test('serves the status', async () => {
    await it.get(path);
    await it.get(path);
    await until(async () => {
      const status = await (await management('/status')).json();
      try {
        expect(status).toEqual({
          upstream: {
            callsThisSecond: 1,
            perSecond: 1000,
            callsToday: 1,
            leftToday: 9999,
            dayEndsAt: expect.stringMatching(/T00:00:00.000Z$/),
            circuit: 'closed',
            credentials: 'ok',
            quota: 'ok',
            api: 'ok',
            state: 'ok',
            since: expect.stringMatching(/^20.+Z$/),
            pace: { calls: expect.any(Number), seconds: expect.any(Number) },
          },
          teams: [{ team: 'default', calls: 1, part: 10_000, borrowed: 0, kept: expect.any(Number), available: 9_999 }],
          queues: ['interactive', 'refresh', 'bulk'].map((urgency) => ({
            team: 'default',
            urgency,
            waiting: 0,
            waitP50: expect.any(Number),
            waitP95: expect.any(Number),
            calls: urgency === 'interactive' ? 1 : 0,
          })),
          served: { default: { miss: 1, fresh: 1 } },
          errors: {},
          cache: { bytes: expect.any(Number), pages: 1 },
          sharing: { redis: 'none', instances: 1 },
          storage: { state: 'none', bytes: 0, pages: 0 },
        });
        return true;
      } catch {
        return false;
      }
    }, 'the status is as it should be');
  });

  test('serves nothing else', async () => {
    expect((await management('/')).status).toBe(404);
    expect((await management('/__proto__')).status).toBe(404);
    expect((await management('/campaigns/1/sends')).status).toBe(404);
    const post = await management('/livez', { method: 'POST' });
    expect(post.status).toBe(405);
    expect(post.headers.get('allow')).toBe('GET, HEAD');
  });
});

test('readiness names the most urgent state first', () => {
  const state = { isUntested: true, gone: false, credentialsRefused: false, quotaExhausted: false, isFailing: false };
  let answering = 1;
  const health = new Health(
    {
      isUntested: () => state.isUntested,
      gone: () => state.gone,
      credentialsRefused: () => state.credentialsRefused,
      quotaExhausted: () => state.quotaExhausted,
      isFailing: () => state.isFailing,
    },
    () => answering,
  );
  expect(health.readiness()).toEqual({ status: 'starting', upstream: 'untested' });
  health.phase = 'ready';
  expect(health.readiness()).toEqual({ status: 'ready', upstream: 'untested' });
  state.isUntested = false;
  expect(health.readiness()).toEqual({ status: 'ready', upstream: 'ok' });
  [state.isUntested, state.isFailing] = [true, true];
  expect(health.readiness()).toEqual({ status: 'degraded', upstream: 'failing' });
  state.quotaExhausted = true;
  expect(health.readiness().upstream).toBe('quota-exhausted');
  state.credentialsRefused = true;
  expect(health.readiness().upstream).toBe('credentials-refused');
  state.gone = true;
  expect(health.readiness().upstream).toBe('gone');
  answering = 0;
  expect(health.readiness()).toEqual({ status: 'starting', upstream: 'gone' });
  health.phase = 'draining';
  expect(health.readiness().status).toBe('draining');
});

describe('the log', () => {
  test('has one line for each request: id, route, status, duration, cache outcome, and no query string or personal data', async () => {
    const answer = await it.get(`${path}?created_since=2012-12-06&limit=2`);
    const next = ((await answer.json()) as { meta: { pagination: { next_link: string } } }).meta.pagination.next_link;
    await it.get(next);
    const own = () => it.lines.filter((line) => line.includes('"route"')).map((line) => JSON.parse(line));
    await until(() => own().length === 2, 'both are logged');
    expect(own()[0]).toEqual({
      level: 'info',
      time: expect.any(String),
      id: answer.headers.get('x-request-id'),
      route: '/campaigns/:id/sends',
      report: 'sends',
      team: 'default',
      campaign: '1',
      method: 'GET',
      status: 200,
      ms: expect.any(Number),
      cache: 'miss',
    });
    expect(it.lines.join('')).not.toMatch(/@|next=|created_since|2012-12-06|limit=/);
  });

  test('redacts credentials by path and by value, in every form', () => {
    const secret = 'k3y/with+signs"\\';
    const lines: string[] = [];
    const { log } = createLogs({
      level: 'info',
      destination: { write: (line) => void lines.push(...line.toString().trim().split('\n')) },
      secrets: () => [secret],
    });
    log.info(
      { apiKey: 'x-path', headers: { authorization: 'y-path' }, deep: { er: { address: 'someone@example.com' } } },
      secret,
    );
    log.error({ err: new Error(`GET /?api_key=${encodeURIComponent(secret)} failed`) });
    log.info({ nested: { secret }, refreshToken: 'r-path', clientSecret: 's-path', accessToken: 't-path' });
    log.info('at node_modules/@scope/package/index.js, <Some.One+tag@sub.example.co>');
    const text = lines.join('');
    for (const leak of ['x-path', 'y-path', 'r-path', 's-path', 't-path', 'someone@', 'k3y', 'One+tag'])
      expect(text).not.toContain(leak);
    expect(text).toContain('node_modules/@scope/package');
    expect(text.match(/\[redacted\]/g)?.length).toBeGreaterThanOrEqual(6);
    expect(lines.every((line) => JSON.parse(line).level)).toBe(true);
  });

  test('redacts a credential that a caller sends as a request id', () => {
    const secret = 'a-plain.secret-1';
    const lines: string[] = [];
    const { accessLog } = createLogs({
      level: 'info',
      destination: { write: (line) => void lines.push(line.toString()) },
      secrets: () => [secret],
    });
    const record = { route: '/campaigns/:id/sends', team: 'web', campaign: secret, problem: 'campaign-not-found' };
    accessLog({ id: `x.${secret}`, isIdGiven: true, trace: secret, method: 'GET', status: 404, ms: 1.25, record });
    const text = lines.join('');
    expect(text).not.toContain(secret);
    const hidden = { id: 'x.[redacted]', trace: '[redacted]', campaign: '[redacted]' };
    expect(JSON.parse(text)).toMatchObject({ ...hidden, method: 'GET', team: 'web', status: 404, ms: 1.25 });
  });

  test.each(['a hit', 'a miss'])('redacts a key that a caller sends as a request id: %s', async (kind) => {
    const key = 'a-plain.key-1';
    const other = await start({ CONSTANT_CONTACT_API_KEY: key }, { apiKey: key });
    other.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
    const told = () => other.lines.filter((line) => line.includes('"route"')).map((line) => JSON.parse(line));
    try {
      if (kind === 'a hit') await other.get(path);
      const before = told().length;
      expect((await other.get(path, { 'x-request-id': `x.${key}` })).status).toBe(200);
      await until(() => told().length === before + 1, 'it is logged');
      expect(told().at(-1)).toMatchObject({ id: 'x.[redacted]', cache: kind === 'a hit' ? 'fresh' : 'miss' });
    } finally {
      await other.close();
    }
  });

  test('has one line for each request, even if it repeats the one before', () => {
    const lines: string[] = [];
    const destination = { write: (line: object) => void lines.push(line.toString()) };
    const { accessLog } = createLogs({ level: 'info', destination, secrets: () => [] });
    const first = { method: 'GET', status: 200, route: '/campaigns/:id/sends', team: 'web', cache: 'miss' as const };
    const others = [
      { cache: 'fresh' as const },
      { team: 'bi' },
      { route: '/status' },
      { status: 304 },
      { method: 'HEAD' },
    ];
    const requests = others.flatMap((other) => [first, { ...first, ...other }]);
    for (const { method, status, ...record } of requests)
      accessLog({ id: 'i', isIdGiven: false, trace: undefined, method, status, ms: 1, record });
    expect(lines.map((line) => JSON.parse(line))).toEqual(requests.map((request) => expect.objectContaining(request)));
  });

  test('has the time when the response ended, not when the line was written', async () => {
    const gathered: object[] = [];
    const { accessLog } = createLogs({
      level: 'info',
      destination: { write: (line) => void gathered.push(line) },
      secrets: () => [],
    });
    const record = { route: '/status', team: 'web' };
    accessLog({ id: 'i', isIdGiven: false, trace: undefined, method: 'GET', status: 200, ms: 1.2345, record });
    const over = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const line = JSON.parse(String(gathered[0]));
    expect(Date.parse(line.time)).toBeLessThanOrEqual(over);
    expect(line.ms).toBe(1.23);
  });

  test('is passed on from another process in whole lines, for any chunks', () => {
    const text = 'one\ntwo €\n\nthree\n';
    const bytes = Buffer.from(text);
    for (const size of [1, 2, 5, 9, bytes.length]) {
      const passed: string[] = [];
      const take = wholeLines((lines) => void passed.push(lines.toString()));
      for (let at = 0; at < bytes.length; at += size) take(bytes.subarray(at, at + size));
      take(Buffer.from('not over'));
      expect(passed.join('')).toBe(text);
      for (const lines of passed) expect(lines.endsWith('\n')).toBe(true);
    }
  });

  test('is written whole and in order, for lines of any length with any characters', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'sendgate-log-')), 'lines');
    const fd = openSync(file, 'w');
    const destination = logDestination(fd);
    const lengths = [1, 300, 21_845, 21_846, 65_535, 65_536, 200_000, 7];
    const lines = Array.from({ length: 80 }, (_, n) => `${n} ${'aé€😀'.repeat((lengths[n % 8] ?? 0) / 5)}\n`);
    let all = '';
    for (const part of [['first\n'], ['second\n'], lines]) {
      for (const line of part) destination.write(line);
      all += part.join('');
      await until(() => statSync(file).size >= Buffer.byteLength(all), 'they are written');
    }
    expect(readFileSync(file, 'utf8') === all).toBe(true);
    closeSync(fd);
  });

  test('drops whole lines past a bound where stdout is not drained, and reports the bytes', async () => {
    const pipe = join(mkdtempSync(join(tmpdir(), 'sendgate-log-')), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const fd = openSync(pipe, 'r+');
    const destination = logDestination(fd, 200_000);
    const line = `${JSON.stringify({ text: 'x'.repeat(9_980) })}\n`;
    for (let n = 0; n < 100; n++) destination.write(line);

    const reader = createReadStream(pipe, 'utf8');
    let text = '';
    let [read, lostBytes] = [0, 0];
    for await (const part of reader) {
      text += part;
      const told = text.slice(0, text.lastIndexOf('\n')).split('\n').filter(Boolean);
      const losses = told.map((line) => JSON.parse(line)).filter(({ level }) => level === 'warn');
      lostBytes = losses.reduce((sum, loss) => sum + loss.lostBytes, 0);
      read = (told.length - losses.length) * line.length;
      if (read + lostBytes === 100 * line.length) break;
    }
    closeSync(fd);
    expect(lostBytes).toBeGreaterThan(500_000);
    expect(read).toBeGreaterThan(200_000 / 2);
  });

  test('has unforeseen errors; the caller only gets internal-error', async () => {
    it.service.pages.get = () => {
      throw new TypeError('unforeseen');
    };
    it.service.pages.hit = () => undefined;
    const answer = await it.get(path);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('unforeseen');
    expect(it.lines.join('')).toContain('unforeseen');
  });
});

test('a replaced secret stays redacted', () => {
  let text = 'first-key-1\n';
  const outcomes: string[] = [];
  const source = { value: 'first-key-1', file: '/nowhere/key' };
  const secrets = new Secrets(
    { apiKey: source, accessToken: { value: 'token-in-env', file: undefined } },
    () => text,
    (name, change) => outcomes.push(`${name} ${change.now === 'unreadable' ? change.reason : change.now}`),
  );
  secrets.reload();
  text = 'second-key-2';
  secrets.reload();
  text = '';
  secrets.reload();
  expect(outcomes).toEqual(['apiKey replaced', 'apiKey the file /nowhere/key is empty']);
  expect(secrets.unreadable).toBe(1);
  expect(secrets.get('apiKey')).toBe('second-key-2');
  expect(secrets.get('accessToken')).toBe('token-in-env');
  expect([...secrets.values()].sort()).toEqual(['first-key-1', 'second-key-2', 'token-in-env']);
  secrets.close();
});
