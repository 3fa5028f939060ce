/**
 * The client of Constant Contact: gates, permits, calls and retries, each in its order and each given back when it was of no use.
 */
import { describe, expect, test } from '@jest/globals';
import { Problem } from '../src/problems.ts';
import { Demand } from '../src/quota/demand.ts';
import type { Finding } from '../src/upstream/finding.ts';
import { ConnectionFailure } from '../src/upstream/transport.ts';
import { settled } from './support/clock.ts';
import { firstPage } from './support/queries.ts';
import { isNeutral, page, startUpstream } from './support/upstream.ts';

type It = ReturnType<typeof startUpstream>;

const hourMs = 3_600_000;

/** What shuts each gate, and how long it is until its probe. */
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

describe.each(gates)('the probe of the gate %s is left to the next caller', (name, finding, probeMs) => {
  test('when another gate refuses the caller', async () => {
    const it = startUpstream();
    const gate = await shut(it, name, finding, probeMs);
    const other = name === 'gone' ? it.gates.day : it.gates.gone;
    other.shut();
    // The probe fails, and says nothing of either: with the other one shut for longer, this one is probed again in a minute.
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

  test('when the caller leaves while it waits for a permit', async () => {
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

  test('when there are no credentials to make it with', async () => {
    const it = startUpstream();
    const gate = await shut(it, name, finding, probeMs);
    it.ready = () => Promise.reject(new Problem('upstream-failed', { reason: 'token' }));
    expect(await it.outcome(it.ask())).not.toBe('page');
    it.ready = () => undefined;
    expect(it.requests).toEqual([]);
    expect(await it.outcome(it.ask())).toBe('page');
    expect([it.neutralCalls(), gate.isShut]).toEqual([1, false]);
  });

  // Only for the breaker does an answer of any kind say something.
  const saysNothing = name === 'breaker' ? 'failed' : 'second';
  test(`when somebody else's neutral call says nothing of this gate (${saysNothing})`, async () => {
    const it = startUpstream();
    const gate = await shut(it, name, finding, probeMs);
    gate.learn(saysNothing);
    expect(await it.outcome(it.ask())).toBe('page');
    expect([it.neutralCalls(), gate.isShut]).toEqual([1, false]);
  });
});

test('a probe that fails is made again in a minute, also for a gate that is probed once an hour', async () => {
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
  test('ends once, also when a call ends in an error that nobody expects', async () => {
    const it = startUpstream({ perSecond: 1 });
    let ended = 0;
    const { take } = it.quota;
    it.quota.take = async (...given) => {
      const permit = await take.apply(it.quota, given);
      return {
        done: (gotPage) => {
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
