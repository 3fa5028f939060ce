/**
 * The client of Constant Contact: gates, permits, calls and retries, in order, each given back if unused.
 */
import { describe, expect, test } from '@jest/globals';
import { Problem } from '../src/problems.ts';
import { Demand } from '../src/quota/demand.ts';
import type { UpstreamRequest } from '../src/upstream/adapter.ts';
import type { Finding } from '../src/upstream/finding.ts';
import { ConnectionFailure } from '../src/upstream/transport.ts';
import { settled } from './support/clock.ts';
import { firstPage } from './support/queries.ts';
import { isNeutral, page, type Scripted, startUpstream } from './support/upstream.ts';

type It = ReturnType<typeof startUpstream>;

const hourMs = 3_600_000;

/** What shuts each gate, and its probe interval. */
const gates: readonly (readonly [string, Finding, number])[] = [
  ['gone', 'gone', hourMs],
  ['day', 'day', hourMs],
  ['credentials', 'refused', 60_000],
  ['breaker', 'failed', 5_000],
];

/** Shut by a probe, with the next one due. */
async function shut(it: It, name: string, finding: Finding, probeMs: number) {
  const gate = name === 'breaker' ? it.gates.breaker.gate : it.gates[name as 'gone' | 'day' | 'credentials'];
  gate.shut(finding);
  expect(await it.outcome(it.ask())).not.toBe('page');
  expect(it.requests).toEqual([]);
  await it.clock.pass(probeMs);
  return gate;
}

describe.each(gates)('the probe of the %s gate passes to the next caller', (name, finding, probeMs) => {
  test('when another gate refuses the caller', async () => {
    const it = startUpstream();
    const gate = await shut(it, name, finding, probeMs);
    const other = name === 'gone' ? it.gates.day : it.gates.gone;
    other.shut();
    // The probe fails, which is irrelevant to both gates: while the other one stays shut, this one is probed again in a
    // minute.
    it.answer = () => new ConnectionFailure('ECONNREFUSED');
    expect(await it.outcome(it.ask())).not.toBe('page');
    other.open();
    await it.clock.pass(60_000);
    it.answer = () => page;
    it.requests.length = 0;
    expect(await it.outcome(it.ask())).toBe('page');
    expect([it.neutralCalls(), gate.isShut]).toEqual([1, false]);
  });

  test('when the queue refuses it', async () => {
    const it = startUpstream();
    const gate = await shut(it, name, finding, probeMs);
    const { take } = it.quota;
    it.quota.take = () => Promise.reject(new Problem('upstream-busy', { reason: 'queue' }));
    expect(await it.outcome(it.ask())).not.toBe('page');
    it.quota.take = take.bind(it.quota);
    expect(it.requests).toEqual([]);
    expect(await it.outcome(it.ask())).toBe('page');
    expect([it.neutralCalls(), gate.isShut]).toEqual([1, false]);
  });

  test('when the caller disconnects while queued for a permit', async () => {
    const it = startUpstream({ perSecond: 1 });
    const gate = await shut(it, name, finding, probeMs);
    const permit = await it.quota.take(new Demand('b', 'interactive'), 1_000);
    const leaving = new AbortController();
    const asking = it.outcome(it.ask(firstPage('1'), new Demand('a', 'interactive'), leaving.signal));
    await settled();
    leaving.abort(new Problem('upstream-busy', { reason: 'abandoned' }));
    permit.done(false);
    await it.clock.pass(20_000);
    await asking;
    expect(await it.outcome(it.ask())).toBe('page');
    expect([it.neutralCalls(), gate.isShut]).toEqual([1, false]);
  });

  test('when there are no credentials for it', async () => {
    const it = startUpstream();
    const gate = await shut(it, name, finding, probeMs);
    it.ready = () => Promise.reject(new Problem('upstream-failed', { reason: 'token' }));
    expect(await it.outcome(it.ask())).not.toBe('page');
    it.ready = () => undefined;
    expect(it.requests).toEqual([]);
    expect(await it.outcome(it.ask())).toBe('page');
    expect([it.neutralCalls(), gate.isShut]).toEqual([1, false]);
  });

  // Any response matters to the breaker.
  const saysNothing = name === 'breaker' ? 'failed' : 'second';
  test(`when another caller's neutral call is irrelevant to this gate (${saysNothing})`, async () => {
    const it = startUpstream();
    const gate = await shut(it, name, finding, probeMs);
    gate.learn(saysNothing);
    expect(await it.outcome(it.ask())).toBe('page');
    expect([it.neutralCalls(), gate.isShut]).toEqual([1, false]);
  });
});

test('a failed probe is repeated in a minute, even for a gate that is probed hourly', async () => {
  const it = startUpstream();
  const gate = await shut(it, 'day', 'day', hourMs);
  it.answer = () => ({ status: 500 });
  for (let n = 0; n < 5; n++) expect(await it.outcome(it.ask())).toBe('upstream-quota-exhausted quota');
  expect(it.neutralCalls()).toBe(1);
  it.answer = () => page;
  await it.clock.pass(59_999);
  expect(await it.outcome(it.ask())).toBe('upstream-quota-exhausted quota');
  await it.clock.pass(1);
  expect(await it.outcome(it.ask())).toBe('page');
  expect([it.neutralCalls(), gate.isShut]).toEqual([2, false]);
});

describe('a permit', () => {
  test('ends once, even if its call throws an unexpected error', async () => {
    const it = startUpstream({ perSecond: 1 });
    let ended = 0;
    const { take } = it.quota;
    it.quota.take = async (...given) => {
      const permit = await take.apply(it.quota, given);
      return {
        ...permit,
        done: (gotPage: boolean) => {
          ended++;
          permit.done(gotPage);
        },
      };
    };
    it.answer = () => new TypeError('not a failure of the connection');
    expect(await it.outcome(it.ask())).toContain('TypeError');
    expect(ended).toBe(1);
    it.answer = () => page;
    const asking = it.outcome(it.ask());
    await it.clock.pass(1_100);
    expect([await asking, ended]).toEqual(['page', 2]);
  });
});

describe('the day', () => {
  /** Asks every five seconds for so long. Returns the calls that count. */
  async function countedIn(hours: number, failure: ConnectionFailure): Promise<number> {
    const it = startUpstream();
    it.answer = () => failure;
    for (let n = 0; n < hours * 720; n++) {
      void it.outcome(it.ask());
      await it.clock.pass(5_000);
    }
    expect(it.requests.length).toBeGreaterThan(10);
    return it.quota.status().callsToday;
  }

  test.each([
    ['ECONNREFUSED', undefined],
    ['ENOTFOUND', undefined],
    ['EAI_AGAIN', undefined],
    ['PROXY_407', 'proxy:3128'],
    ['PROXY_ECONNREFUSED', 'proxy:3128'],
  ])('counts no call for which there was no connection (%s)', async (code, proxy) => {
    expect(await countedIn(11, new ConnectionFailure(code, proxy))).toBe(0);
  });

  test('counts every call that may have arrived', async () => {
    const it = startUpstream();
    for (const code of ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'UNKNOWN']) {
      it.answer = () => new ConnectionFailure(code);
      const asking = it.outcome(it.ask());
      await it.clock.pass(5_000);
      await asking;
    }
    expect(it.quota.status().callsToday).toBe(it.requests.length);
  });
});

describe('a retry', () => {
  const retriesLeft = (it: It, demand: Demand) => {
    let left = 0;
    while (it.retryBudget.take(demand)) left++;
    return left;
  };

  test.each([
    ['a gate is shut meanwhile', (it: It) => it.gates.day.shut('day')],
    ['the caller leaves meanwhile', (_: It, leaving: AbortController) => leaving.abort(new Problem('upstream-busy'))],
    [
      'the queue refuses it',
      (it: It) => {
        it.quota.take = () => Promise.reject(new Problem('upstream-busy', { reason: 'queue' }));
      },
    ],
    [
      'there are no credentials any more',
      (it: It) => {
        it.ready = () => Promise.reject(new Problem('upstream-failed', { reason: 'token' }));
      },
    ],
  ])('is not spent when %s', async (_, meanwhile) => {
    const it = startUpstream();
    it.answer = (request) => (isNeutral(request) ? page : { status: 500 });
    const leaving = new AbortController();
    const demand = new Demand('a', 'interactive');
    const asking = it.outcome(it.ask(firstPage('1'), demand, leaving.signal));
    await settled();
    expect(it.requests).toHaveLength(1);
    meanwhile(it, leaving);
    await it.clock.pass(1_000);
    expect(await asking).not.toBe('page');
    expect(it.requests).toHaveLength(1);
    expect(retriesLeft(it, demand)).toBe(5);
  });
});

const problemOf = (asking: Promise<unknown>) =>
  asking.then(
    () => undefined,
    (error: unknown) => error as Problem,
  );

/** The neutral call is answered with a page, all others so. */
const toAllBut = (answer: () => Scripted | Promise<Scripted>) => (request: UpstreamRequest) =>
  isNeutral(request) ? page : answer();

/** Responds after that many milliseconds. */
const answerIn = (it: It, ms: number, answer: Scripted) =>
  new Promise<Scripted>((resolve) => it.clock.after(ms, () => resolve(answer)));

const overQps = { status: 403, body: '[{"error_key":"mashery.not.authorized.over.qps"}]' };
const overRate = { status: 403, body: '[{"error_key":"mashery.not.authorized.over.ratelimit"}]' };

describe('gates', () => {
  test('are passed in order: withdrawn, day, credentials, circuit', async () => {
    const it = startUpstream();
    const { gone, day, credentials, breaker } = it.gates;
    const all = [gone, day, credentials, breaker.gate];
    const findings = ['gone', 'day', 'refused', 'failed'] as const;
    for (const [n, gate] of all.entries()) gate.shut(findings[n]);
    const codes: (string | undefined)[] = [];
    for (const gate of all) {
      codes.push((await problemOf(it.ask()))?.code);
      gate.open();
    }
    expect(codes).toEqual([
      'upstream-gone',
      'upstream-quota-exhausted',
      'upstream-credentials-refused',
      'upstream-busy',
    ]);
    expect(await it.outcome(it.ask())).toBe('page');
    expect(it.requests).toHaveLength(1);
  });

  test('are passed before the wait for credentials, which precedes the permit', async () => {
    const it = startUpstream();
    let taken = 0;
    const { take } = it.quota;
    it.quota.take = (...given) => {
      taken++;
      return take.apply(it.quota, given);
    };
    let isReady = () => {};
    it.ready = () => new Promise<void>((resolve) => (isReady = resolve));
    const asking = it.outcome(it.ask());
    await settled();
    expect(taken).toBe(0);
    it.ready = () => undefined;
    isReady();
    expect(await asking).toBe('page');
    expect(taken).toBe(1);
  });
});

describe('retries', () => {
  test('are made twice with back-off for a transient failure; a persistent one is marked as lasting', async () => {
    const it = startUpstream();
    it.answer = toAllBut(() => ({ status: 500 }));
    const asking = problemOf(it.ask());
    const calls: number[] = [];
    for (const ms of [99, 101, 200, 200]) {
      await it.clock.pass(ms);
      calls.push(it.calls());
    }
    expect([calls[0], calls[1], calls[3]]).toEqual([1, 2, 3]);
    expect(await asking).toMatchObject({ code: 'upstream-failed', reason: 'http-5xx', isLasting: true });
  });

  test.each([400, 404])('are not made after a %s, which is permanent', async (status) => {
    const it = startUpstream();
    it.answer = toAllBut(() => ({ status }));
    const problem = await problemOf(it.ask());
    expect([it.requests.length, problem?.isLasting]).toEqual([1, status === 400]);
  });

  test('stop while consecutive calls fail, and while the circuit is open', async () => {
    for (const isOpen of [false, true]) {
      const it = startUpstream();
      const { breaker } = it.gates;
      for (let n = 0; !isOpen && n < 9; n++) breaker.failed();
      it.answer = toAllBut(() => {
        if (isOpen) breaker.gate.shut('failed');
        return { status: 500 };
      });
      // With a retry it would wait for its pause: time stands still here.
      expect(await problemOf(it.ask())).toMatchObject({ reason: 'http-5xx', isLasting: false });
      expect(it.calls()).toBe(1);
    }
  });

  test('stop when the budget is spent, and calls earn more', async () => {
    const it = startUpstream();
    const asker = { team: 'a' };
    while (it.retryBudget.take(asker));
    it.answer = toAllBut(() => ({ status: 500 }));
    expect((await problemOf(it.ask()))?.reason).toBe('http-5xx');
    expect(it.calls()).toBe(1);
    it.answer = () => page;
    for (let n = 0; n < 10; n++) await it.ask();
    expect(it.retryBudget.take(asker)).toBeDefined();
  });

  test('wait as long as Retry-After says', async () => {
    const it = startUpstream();
    it.answer = () => (it.requests.length === 1 ? { status: 503, headers: { 'retry-after': '3' } } : page);
    const asking = it.outcome(it.ask());
    await it.clock.pass(2_999);
    expect(it.requests).toHaveLength(1);
    await it.clock.pass(1);
    expect([await asking, it.requests.length]).toEqual(['page', 2]);
  });
});

describe('the deadline', () => {
  test('prevents retries with a pause beyond it, and the failure is not remembered', async () => {
    const it = startUpstream();
    it.answer = () => answerIn(it, 9_950, { status: 500 });
    const asking = problemOf(it.ask());
    await it.clock.pass(9_950);
    expect(await asking).toMatchObject({ reason: 'http-5xx', isLasting: false });
  });

  test('bounds Retry-After, even for a walk, which callers may have joined', async () => {
    for (const [urgency, tookMs, askedSeconds] of [
      ['interactive', 2_000, 9],
      ['bulk', 0, 15],
    ] as const) {
      const it = startUpstream();
      it.answer = toAllBut(() =>
        answerIn(it, tookMs, { status: 503, headers: { 'retry-after': String(askedSeconds) } }),
      );
      const asking = problemOf(it.ask(firstPage('1'), new Demand('a', urgency)));
      await it.clock.pass(tookMs);
      expect(await asking).toMatchObject({ code: 'upstream-busy', retryAfterSeconds: askedSeconds });
      expect(it.calls()).toBe(1);
    }
  });

  test('bounds a call and the wait for its permit', async () => {
    const it = startUpstream();
    const waits: number[] = [];
    const { take } = it.quota;
    it.quota.take = (demand, waitMs, signal) => {
      waits.push(waitMs);
      return take.call(it.quota, demand, waitMs, signal);
    };
    it.answer = () => (it.requests.length === 1 ? answerIn(it, 8_000, { status: 500 }) : page);
    const asking = it.outcome(it.ask());
    await it.clock.pass(8_200);
    expect(await asking).toBe('page');
    expect(it.timeouts[0]).toBe(5_000);
    for (const ms of [it.timeouts[1], waits[1]]) {
      expect(ms).toBeGreaterThanOrEqual(1_800);
      expect(ms).toBeLessThanOrEqual(1_900);
    }
    expect(waits[0]).toBe(10_000);
  });

  test('bounds the wait for credentials, and for a probe', async () => {
    const it = startUpstream();
    it.ready = () => new Promise(() => {});
    const asking = it.outcome(it.ask());
    await it.clock.pass(10_000);
    expect(await asking).toBe('upstream-timeout token');
    it.ready = () => undefined;
    it.gates.day.shut('day');
    it.gates.day.probeNow();
    it.answer = () => new Promise(() => {});
    const probing = it.outcome(it.ask());
    await it.clock.pass(10_000);
    expect(await probing).toBe('upstream-timeout probe');
  });

  test('that shortens the timeout of a call leaves that timeout unremembered', async () => {
    const it = startUpstream({ deadlineMs: 4_000 });
    it.answer = toAllBut(() => new Problem('upstream-timeout', { reason: 'timeout' }));
    expect(await problemOf(it.ask())).toMatchObject({ code: 'upstream-timeout', isLasting: false });
    const usual = startUpstream();
    usual.answer = toAllBut(() => new Problem('upstream-timeout', { reason: 'timeout' }));
    expect(await problemOf(usual.ask())).toMatchObject({ code: 'upstream-timeout', isLasting: true });
  });
});

describe('a 401', () => {
  test('is confirmed by one retry, then by the neutral call', async () => {
    const it = startUpstream();
    it.answer = () => (it.requests.length === 1 ? { status: 401 } : page);
    const once = it.outcome(it.ask());
    await it.clock.pass(200);
    expect([await once, it.calls(), it.neutralCalls()]).toEqual(['page', 2, 0]);

    it.requests.length = 0;
    it.answer = toAllBut(() => ({ status: 401 }));
    const always = problemOf(it.ask());
    await it.clock.pass(1_000);
    expect(await always).toMatchObject({ code: 'upstream-failed', reason: 'http-401', isLasting: true });
    expect([it.calls(), it.neutralCalls()]).toEqual([2, 1]);
  });

  test('replaces credentials where possible, and certainly after a neutral call', async () => {
    const it = startUpstream();
    it.answer = () => ({ status: 401 });
    const asking = problemOf(it.ask());
    await it.clock.pass(1_000);
    expect(await asking).toMatchObject({ code: 'upstream-credentials-refused' });
    expect(it.refused).toEqual([false, false, true]);
    expect(it.gates.credentials.isShut).toBe(true);
  });
});

describe('a refusal', () => {
  test('of credentials that were replaced meanwhile is retried once', async () => {
    const it = startUpstream();
    it.answer = (request) => {
      if (!isNeutral(request)) return it.calls() === 1 ? { status: 403 } : page;
      it.prober.forget();
      return page;
    };
    expect([await it.outcome(it.ask()), it.calls()]).toEqual(['page', 2]);
    it.requests.length = 0;
    it.answer = (request) => {
      if (isNeutral(request)) it.prober.forget();
      return isNeutral(request) ? page : { status: 403 };
    };
    expect([await it.outcome(it.ask()), it.calls()]).toEqual(['upstream-failed http-403', 2]);
  });

  test('triggers a neutral call once a minute, or once in ten minutes while other questions succeed', async () => {
    const it = startUpstream();
    const refused = toAllBut(() => ({ status: 403 }));
    it.answer = refused;
    for (let n = 0; n < 3; n++) await problemOf(it.ask(firstPage(String(n))));
    expect(it.neutralCalls()).toBe(1);
    await it.clock.pass(61_000);
    it.answer = () => page;
    await it.ask();
    it.answer = refused;
    await problemOf(it.ask());
    expect(it.neutralCalls()).toBe(1);
    await it.clock.pass(61_000);
    await problemOf(it.ask());
    expect(it.neutralCalls()).toBe(2);
  });
});

describe('failures in a row', () => {
  const failTimes = async (it: It, times: number) => {
    for (let n = 0; n < times; n++) await problemOf(it.ask(firstPage(String(n))));
  };

  test('open the circuit if the neutral call fails too', async () => {
    const it = startUpstream({ retries: 0 });
    it.answer = () => ({ status: 500 });
    await failTimes(it, 10);
    await settled();
    expect(await it.outcome(it.ask())).toBe('upstream-busy circuit');
    expect([it.calls(), it.neutralCalls()]).toEqual([10, 1]);
    expect(it.events).toEqual(['upstream.down']);
  });

  test('count as single questions if the neutral call succeeds, and restart after a success', async () => {
    const it = startUpstream({ retries: 0 });
    it.answer = toAllBut(() => ({ status: 500 }));
    await failTimes(it, 10);
    await settled();
    await failTimes(it, 9);
    expect(it.neutralCalls()).toBe(1);
    await it.clock.pass(6_000); // What the neutral call has found is good for five.
    it.answer = () => page;
    await it.ask();
    it.answer = toAllBut(() => ({ status: 500 }));
    await failTimes(it, 9);
    expect([it.neutralCalls(), it.gates.breaker.isOpen]).toEqual([1, false]);
  });
});

describe('a limit', () => {
  test('of the second pauses all calls as long as Retry-After says', async () => {
    const it = startUpstream({ retries: 0 });
    it.answer = toAllBut(() => ({ ...overQps, headers: { 'retry-after': '4' } }));
    expect(await problemOf(it.ask())).toMatchObject({ code: 'upstream-busy', retryAfterSeconds: 4 });
    it.answer = () => page;
    const asking = it.outcome(it.ask(firstPage('2'), new Demand('b', 'interactive')));
    await it.clock.pass(3_999);
    expect(it.requests).toHaveLength(1);
    await it.clock.pass(1);
    expect(await asking).toBe('page');
  });

  test('of the day shuts its gate, which is probed after Retry-After, but no sooner than a minute', async () => {
    for (const [asked, dueMs] of [
      ['5', 60_000],
      ['600', 600_000],
    ] as const) {
      const it = startUpstream();
      it.answer = () => ({ ...overRate, headers: { 'retry-after': asked } });
      expect((await problemOf(it.ask()))?.code).toBe('upstream-quota-exhausted');
      await it.clock.pass(dueMs - 1);
      expect((await problemOf(it.ask()))?.code).toBe('upstream-quota-exhausted');
      expect(it.requests).toHaveLength(1);
      it.answer = () => page;
      await it.clock.pass(1);
      expect(await it.outcome(it.ask())).toBe('page');
    }
  });

  test.each([
    ['is its own when the neutral call is answered', page, true],
    ["may be everybody's when that is not", { status: 500 }, false],
  ])('without a name, to one question, %s', async (_, neutral, isLasting) => {
    const it = startUpstream({ retries: 0 });
    it.answer = (request) => (isNeutral(request) ? neutral : { status: 429 });
    expect(await problemOf(it.ask())).toMatchObject({ code: 'upstream-busy', isLasting });
  });
});
