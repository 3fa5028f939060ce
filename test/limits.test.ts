/**
 * The account's limits, in every shape in which gateways tell them, and how long an answer asks to wait.
 */
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Status } from '../src/observability/status.ts';
import type { Fault } from '../src/sandbox/fault.ts';
import { type LimitShape, limitShapes } from '../src/sandbox/limit-shapes.ts';
import type { SandboxOptions } from '../src/sandbox/sandbox.ts';
import { readErrorBody } from '../src/upstream/error-body.ts';
import { limitOf, retryAfterMs } from '../src/upstream/limits.ts';
import { asking, type Version } from './support/asking.ts';
import { FakeClock } from './support/clock.ts';
import { cursorOf, type Environment, start, startInstance, startSandbox, until } from './support/harness.ts';

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function up(version: Version, env: Environment = {}, options: Partial<SandboxOptions> = {}) {
  const harness = await start(env, options, version);
  ending.push(() => harness.close());
  return { ...harness, ...asking(harness, version) };
}

/** On a clock that only the test moves. */
async function stepped(version: Version, env: Environment = {}, options: Partial<SandboxOptions> = {}) {
  const clock = new FakeClock();
  const sandbox = await startSandbox({ clock, ...options });
  ending.push(() => sandbox.stop());
  const harness = await startInstance(sandbox, clock, env, version);
  ending.push(() => harness.close());
  const tools = { ...harness, ...asking(harness, version), clock };
  // v3 has its token beforehand, and what was found of it.
  expect((await tools.ask(40)).status).toBe(200);
  sandbox.forget();
  return tools;
}

describe('a limit is recognised', () => {
  const json = (value: unknown) => JSON.stringify(value);
  const reply = (status: number, body: string, headers: Record<string, string> = {}) => ({
    ...{ status, body, headers },
    error: readErrorBody(body),
  });
  test.each([
    ["v2's key", reply(403, json([{ error_key: 'mashery.not.authorized.over.qps' }])), 'second', 'second'],
    ["v2's key on a 401", reply(401, json([{ error_key: 'mashery.not.authorized.over.ratelimit' }])), 'day', 'day'],
    [
      "the gateway's header",
      reply(403, '', { 'x-mashery-error-code': 'ERR_403_DEVELOPER_OVER_QPS' }),
      'second',
      'second',
    ],
    ['the header in lower case', reply(401, '', { 'x-mashery-error-code': 'err_401_account_over_rate' }), 'day', 'day'],
    [
      'another header of its',
      reply(403, '', { 'x-mashery-error-code': 'ERR_403_DEVELOPER_INACTIVE' }),
      undefined,
      undefined,
    ],
    ['its words in XML', reply(403, '<h1>Developer Over Qps</h1>'), 'second', 'unnamed'],
    ['its words in HTML', reply(403, '<html><h1>403 developer over  rate</h1></html>'), 'day', 'unnamed'],
    ['its words, longer', reply(403, 'Account Over Queries Per Second Limit'), 'second', 'unnamed'],
    ['words in a page', reply(200, 'Developer Over Rate'), undefined, undefined],
    ['words far down', reply(403, `${' '.repeat(10_000)}Developer Over Rate`), undefined, undefined],
    [
      'words behind another key',
      reply(400, json([{ error_key: 'x', error_message: 'Developer Over Rate' }])),
      undefined,
      undefined,
    ],
    ["v3's key", reply(429, json({ error_key: 'throttled' })), 'second', 'second'],
    ["v3's key in an array", reply(429, json([{ error_key: 'quota_exceeded' }])), 'day', 'day'],
    ["its gateway's message", reply(429, json({ message: 'Too Many Requests' })), 'second', 'second'],
    ['the message of the day', reply(429, json({ message: 'Limit Exceeded' })), 'day', 'day'],
    ['the message, spelled otherwise', reply(429, json({ Message: 'LIMIT EXCEEDED.' })), 'day', 'day'],
    ['the message with another status', reply(403, json({ message: 'Limit Exceeded' })), 'unnamed', 'unnamed'],
    ['a key that does not come first', reply(429, json({ x: '', error_key: 'quota_exceeded' })), 'day', 'unnamed'],
    ['a key that comes twice', reply(429, '{"error_key":"x","error_key":"throttled"}'), 'second', 'unnamed'],
    ['a message that comes twice', reply(429, '{"message":"x","message":"Limit Exceeded"}'), 'day', 'unnamed'],
    ['a key, with blanks', reply(429, ' \n [ { "error_key" : "throttled" } ]'), 'second', 'second'],
    ['a message that quotes it', reply(429, json({ message: 'no such thing: Limit Exceeded' })), 'unnamed', 'unnamed'],
    ['a message that is none', reply(429, json({ message: { toString: 1 } })), 'unnamed', 'unnamed'],
    ['a path that is none', reply(403, json({ message: 'Forbidden' })), undefined, undefined],
    ['a plain 429', reply(429, ''), 'unnamed', 'unnamed'],
    ['another key on a 429', reply(429, json([{ error_key: 'sandbox.fault' }])), 'unnamed', 'unnamed'],
  ] as const)('by %s', (_, answer, where, behindCursor) => {
    expect(limitOf(answer, false)).toBe(where);
    expect(limitOf(answer, true)).toBe(behindCursor);
  });
});

describe('Retry-After', () => {
  const date = 'Wed, 21 Oct 2026 07:28:00 GMT';
  const now = Date.parse(date);
  test.each([
    ['7', 7_000],
    [' 7 ', 7_000],
    ['0', 0],
    ['999999999', 86_400_000],
    ['9999999999999999999', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['soon', undefined],
    ['', undefined],
    ['Wed, 21 Oct 2026 07:28:30 GMT', 30_000],
    ['Wednesday, 21-Oct-26 07:28:30 GMT', 30_000],
    ['Wed Oct 21 07:28:30 2026', 30_000],
    ['Wed, 21 Oct 2026 07:00:00 GMT', 0],
    ['Fri, 21 Oct 2050 07:28:00 GMT', 86_400_000],
    ['Wed, 99 Oct 2026 07:28:00 GMT', undefined],
    ['2026-10-21', undefined],
    ['7, 8', undefined],
  ])('%p asks to wait for %p ms', (text, ms) => {
    expect(retryAfterMs({ 'retry-after': text }, now)).toBe(ms);
    // A date is by the clock of the one that sends it, where that is told.
    expect(retryAfterMs({ 'retry-after': text, date }, now + 3_600_000)).toBe(ms);
  });
});

const cases = (['v2', 'v3'] as const).flatMap((version) =>
  limitShapes[version].filter((shape) => shape !== 'plain').map((shape) => ({ version, shape })),
);
const statusesOf = (version: Version) => (version === 'v2' ? [403, 401] : [429]);

describe.each(cases.flatMap((one) => statusesOf(one.version).map((status) => ({ ...one, status }))))(
  '$version reports its limit as $shape with $status',
  ({ version, shape, status }) => {
    const over = (kind: 'over-qps' | 'over-ratelimit'): Fault => ({ kind, limitsAs: shape, status });

    test('of the second: the question waits, and all calls slow down', async () => {
      const { sandbox, ask, clock, service, management, told } = await stepped(version);
      const { perSecond } = service.status().upstream;
      sandbox.fault({ ...over('over-qps'), times: 1 });
      expect((await clock.passUntil(ask(1))).status).toBe(200);
      expect(service.status().upstream.perSecond).toBeLessThanOrEqual(perSecond / 2 + 1);
      expect(await management('/metrics')).toContain(
        'sendgate_upstream_calls_total{report="sends",outcome="throttled",team="default"} 1',
      );
      expect(JSON.parse(await management('/readyz'))).toEqual({ status: 'ready', upstream: 'ok' });
      expect(told('error')).toEqual([]);
    });

    test('of the day: all get Retry-After until midnight, at the cost of one call, and cached pages are served', async () => {
      const { sandbox, ask, clock, management, told } = await up(version);
      expect((await ask(1)).status).toBe(200);
      clock.forward(61);
      sandbox.fault(over('over-ratelimit'));
      sandbox.forget();
      for (const id of [2, 3, 4]) {
        const { type, retryAfter } = await ask(id);
        expect(type).toBe('upstream-quota-exhausted');
        expect(retryAfter).toBeLessThanOrEqual(86_400);
      }
      expect((await ask(1)).status).toBe(200);
      expect(sandbox.callCount).toBe(1);
      expect(JSON.parse(await management('/readyz'))).toEqual({ status: 'degraded', upstream: 'quota-exhausted' });
      const { upstream, teams } = JSON.parse(await management('/status')) as Status;
      expect([upstream.leftToday, ...teams.map(({ available }) => available)]).toEqual([0, ...teams.map(() => 0)]);
      expect(await management('/metrics')).toContain('sendgate_upstream_quota_exhausted 1');
      expect(told('error')).toHaveLength(1);
      expect(told('error')[0].msg).toContain('daily quota is spent');
    });
  },
);

describe("the account's own limits", () => {
  const limits = { perSecond: 3, perDay: 7 };
  /** All of them at once: each is a wait of two seconds. */
  const running = new Map<object, ReturnType<typeof askUntilSpent>>();
  beforeAll(() => {
    for (const one of cases) running.set(one, askUntilSpent(one));
  });

  async function askUntilSpent({ version, shape }: (typeof cases)[number]) {
    const harness = await start({ SENDGATE_QUOTA_PER_SECOND: '4' }, { limits, limitsAs: shape }, version);
    try {
      const { ask, told } = asking(harness, version);
      const first = await Promise.all([1, 2, 3, 4].map((id) => ask(id)));
      const { limitAnswers } = harness.sandbox;
      let id = 5;
      let last = await ask(id);
      while (last.status === 200 && id < 20) last = await ask(++id);
      return {
        statuses: first.map(({ status }) => status),
        limitAnswers,
        last: last.type,
        errors: told('error').length,
      };
    } finally {
      await harness.close();
    }
  }

  test.each(cases)('are respected by fewer calls, then until midnight: $version, written as $shape', async (one) => {
    const { statuses, limitAnswers, last, errors } = (await running.get(one)) ?? {};
    expect(statuses).toEqual(Array(4).fill(200));
    expect(limitAnswers).toBeGreaterThan(0);
    expect(last).toBe('upstream-quota-exhausted');
    expect(errors).toBe(1);
  });
});

test.each(['v2', 'v3'] as const)(
  "the account's limits, unnamed by %s, slow calls down and do not shut the credentials gate",
  async (version) => {
    const limits = { perSecond: 1_000, perDay: 2 };
    const { ask, service, management, told } = await up(version, {}, { limits, limitsAs: 'plain' });
    const { perSecond } = service.status().upstream;
    for (const id of [1, 2]) expect((await ask(id)).status).toBe(200);
    expect(await ask(3)).toMatchObject({ status: 503, type: 'upstream-busy' });
    expect(service.status().upstream.perSecond).toBeLessThan(perSecond);
    expect(JSON.parse(await management('/readyz'))).toEqual({ status: 'ready', upstream: 'ok' });
    expect(told('error')).toEqual([]);
  },
);

describe.each(['v2', 'v3'] as const)('with %s', (version) => {
  const named: LimitShape = version === 'v2' ? 'words' : 'gateway';

  test('a limit behind a cursor that may be an echo is confirmed by the neutral call', async () => {
    const { sandbox, ask, told } = await up(version);
    sandbox.fault({ kind: 'over-ratelimit', limitsAs: version === 'v2' ? 'words' : 'plain', query: { next: 'far' } });
    sandbox.fault({ kind: 'over-ratelimit', limitsAs: named });
    expect((await ask(1, `?next=${cursorOf('far', version)}`)).type).toBe('upstream-quota-exhausted');
    expect((await ask(2)).type).toBe('upstream-quota-exhausted');
    expect(told('error')).toHaveLength(1);
  });

  test('a 429 to one question gives a remembered 503 with Retry-After for that question', async () => {
    const { sandbox, ask, clock, service, management } = await up(version);
    const { perSecond } = service.status().upstream;
    sandbox.fault({ kind: 'status', status: 429, campaign: '1' });
    const first = await ask(1);
    expect(first).toMatchObject({ status: 503, type: 'upstream-busy', retryAfter: 60 });
    const { callCount } = sandbox;
    expect(callCount).toBeLessThanOrEqual(4); // tries, and one probe
    clock.forward(20);
    const again = await ask(1);
    expect(again.type).toBe('upstream-busy');
    expect([39, 40]).toContain(again.retryAfter);
    expect(sandbox.callCount).toBe(callCount);
    expect((await ask(2)).status).toBe(200);
    expect(service.status().upstream.perSecond).toBe(perSecond);
    expect(JSON.parse(await management('/readyz'))).toEqual({ status: 'ready', upstream: 'ok' });
    sandbox.heal();
    clock.forward(41);
    expect((await ask(1)).status).toBe(200);
  });

  test('only its own retry waits as long as Retry-After says', async () => {
    const { sandbox, ask, clock } = await stepped(version);
    for (const status of [429, 503]) {
      sandbox.fault({ kind: 'status', status, retryAfter: '7', campaign: String(status), times: 1 });
      sandbox.campaign({ id: String(status), size: 3, newestMs: clock.now() });
      sandbox.forget();
      const asked = ask(status);
      await until(() => sandbox.calls[0]?.status !== undefined, 'it was told to wait');
      await clock.pass(6_900);
      expect((await ask(status === 429 ? 1 : 2)).status).toBe(200);
      expect(sandbox.callCount).toBe(2);
      await clock.pass(200);
      expect((await asked).status).toBe(200);
    }
  });

  test.each(['3600', '999999999', 'Fri, 01 Jan 2100 00:00:00 GMT'])(
    'a page that always responds with Retry-After %s delays no other call, and its caller gets at most an hour',
    async (retryAfter) => {
      const { sandbox, ask, clock, service } = await stepped(version);
      sandbox.fault({ kind: 'status', status: 503, retryAfter, campaign: '1' });
      const { perSecond } = service.status().upstream;
      for (let round = 0; round < 12; round++) {
        expect(await ask(1, `?limit=${round + 1}`)).toMatchObject({ type: 'upstream-busy', retryAfter: 3_600 });
        expect((await ask(round + 2)).status).toBe(200);
        await clock.pass(100);
      }
      expect(service.status().upstream).toMatchObject({ perSecond, circuit: 'closed' });
    },
  );

  test.each(['-5', 'soon', '0', 'Sat, 01 Jan 2000 00:00:00 GMT'])(
    'a Retry-After of %p is ignored',
    async (retryAfter) => {
      const { sandbox, ask, clock } = await stepped(version);
      sandbox.fault({ kind: 'status', status: 503, retryAfter, campaign: '1', times: 1 });
      const before = clock.monotonic();
      expect((await clock.passUntil(ask(1))).status).toBe(200);
      expect(clock.monotonic() - before).toBeLessThan(3_000);
    },
  );

  test.each([
    ['30', 30],
    ['100000', 60],
  ])("the second's limit with Retry-After: %s keeps all calls back, for %d s", async (retryAfter, seconds) => {
    const { sandbox, ask, clock, service } = await stepped(version);
    sandbox.fault({ kind: 'over-qps', limitsAs: named, retryAfter, times: 1 });
    expect(await ask(1)).toMatchObject({ type: 'upstream-busy' });
    await clock.pass((seconds - 5) * 1_000);
    const waiting = ask(2);
    await clock.pass(0);
    expect(sandbox.callCount).toBe(1);
    const inQueue = () => service.status().queues.reduce((sum, { waiting }) => sum + waiting, 0);
    await until(() => inQueue() === 1, 'it waits');
    await clock.pass(4_900);
    expect(sandbox.callCount).toBe(1);
    await clock.pass(200);
    expect((await waiting).status).toBe(200);
  });

  test("the day's limit is probed after Retry-After, but no sooner than a minute", async () => {
    const { sandbox, ask, clock } = await stepped(version);
    for (const [retryAfter, seconds, id] of [
      ['7200', 7_200, 1],
      ['1', 60, 3],
    ] as const) {
      sandbox.fault({ kind: 'over-ratelimit', limitsAs: named, retryAfter });
      expect((await ask(id)).type).toBe('upstream-quota-exhausted');
      sandbox.forget();
      await clock.pass((seconds - 1) * 1_000);
      expect((await ask(2)).type).toBe('upstream-quota-exhausted');
      expect(sandbox.callCount).toBe(0);
      sandbox.heal();
      await clock.pass(1_000);
      expect((await ask(id)).status).toBe(200);
    }
  });
});
