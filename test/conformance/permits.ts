/**
 * The promises of every `Permits`.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Clock } from '../../src/clock.ts';
import type { WaitingFlow } from '../../src/quota/flows.ts';
import type { Answer, Permit, Permits } from '../../src/quota/permits.ts';

export const perSecond = 4;

export interface Subject {
  /** Creates permits for `perSecond` calls a second, none used yet. */
  readonly permits: Permits;
  readonly clock: Clock;
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

const flow: WaitingFlow = { name: 'interactive a', weight: 16, waiting: 50, kept: 0 };

export function testPermits(name: string, build: () => Promise<Subject>): void {
  describe(`${name} permits`, () => {
    let subject: Subject;
    beforeEach(async () => {
      subject = await build();
    });
    afterEach(() => subject.close());

    const ask = async (flows = [flow]): Promise<Answer> => subject.permits.ask(flows);

    /** Asks once. Resolves with undefined without a permit. */
    async function tryOne(): Promise<Permit | undefined> {
      const answer = await ask();
      return answer.kind === 'granted' ? answer.permit : undefined;
    }

    /** Asks until a permit is granted, waiting as told. */
    async function take(): Promise<Permit> {
      for (;;) {
        const answer = await ask();
        if (answer.kind === 'granted') return answer.permit;
        await subject.pass(Math.max(1, Math.ceil(answer.ms)));
      }
    }

    async function takeAll(): Promise<Permit[]> {
      const all: Permit[] = [];
      for (let one = await tryOne(); one; one = await tryOne()) all.push(one);
      return all;
    }

    test('are granted to queued flows up to the limit, then ask to wait', async () => {
      const all = await takeAll();
      expect(all.map((one) => one.flow)).toEqual(Array(perSecond).fill(flow.name));
      const answer = await ask();
      expect(answer).toEqual({ kind: 'wait', ms: expect.any(Number) });
      expect(answer.kind === 'wait' && answer.ms > 0 && answer.ms < 3_000).toBe(true);
    });

    test('never let more calls arrive in any second than the limit, and waste none of it', async () => {
      const arrivals: number[] = [];
      for (let n = 0; n < 3 * perSecond; n++) {
        const permit = await take();
        await subject.pass(n % 2 ? 20 : 1);
        arrivals.push(subject.clock.monotonic());
        permit.done(true);
      }
      const inSecondFrom = (from: number) => arrivals.filter((at) => at >= from && at < from + 1_000).length;
      expect(Math.max(...arrivals.map(inSecondFrom))).toBe(perSecond);
    });

    test('are free again at once if no call was made', async () => {
      const [first] = await takeAll();
      first?.giveBack();
      expect(await takeAll()).toHaveLength(1);
    });

    test('end once: a used permit cannot be returned, and none is returned twice', async () => {
      const [called, unused] = await takeAll();
      called?.done(true);
      called?.giveBack();
      expect(await takeAll()).toHaveLength(0);
      unused?.giveBack();
      unused?.giveBack();
      unused?.done(true);
      expect(await takeAll()).toHaveLength(1);
    });

    test('of calls that never end are eventually free again', async () => {
      await takeAll();
      const startedAt = subject.clock.monotonic();
      await take();
      expect(subject.clock.monotonic() - startedAt).toBeGreaterThan(1_900);
    });

    test('are not granted without a queued flow', async () => {
      const answer = await ask([]);
      expect([answer.kind, answer.kind === 'wait' && answer.ms >= 5_000]).toEqual(['wait', true]);
      expect(await takeAll()).toHaveLength(perSecond);
    });

    test('are not granted during a pause that the upstream asks for', async () => {
      subject.permits.complain(5_000);
      const answer = await ask();
      expect(answer.kind === 'wait' && answer.ms > 3_000 && answer.ms <= 5_000).toBe(true);
      expect(subject.permits.expectedMs(0)).toBeGreaterThan(3_000);
    });

    test('are expected later the longer the queue', async () => {
      expect(subject.permits.expectedMs(0)).toBe(0);
      const expected = [0, 1, 2, 3].map((seconds) => subject.permits.expectedMs(seconds * perSecond));
      expect(expected).toEqual([...expected].sort((a, b) => a - b));
      expect(expected[3]).toBeGreaterThanOrEqual(3_000);
    });
  });
}
