/**
 * The promises of every `SecondLevel`. It may forget anything: then it grants the lease, which is always a valid reply.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { identityOf } from '../../src/cache/compression.ts';
import type { Generations } from '../../src/cache/generations.ts';
import { makeBody, type PageBody } from '../../src/cache/page.ts';
import type { PageOfWalk } from '../../src/cache/page-of-walk.ts';
import type { Lease, SecondLevel, SecondLevelReply, Wanted } from '../../src/cache/second-level.ts';
import { Problem } from '../../src/problems.ts';
import { Demand, type Urgency } from '../../src/quota/demand.ts';
import type { ForwardClock } from '../support/clock.ts';
import { until } from '../support/harness.ts';

export interface Instance {
  readonly secondLevel: SecondLevel;
  readonly generations: Generations;
}

export interface SecondLevelUnderTest {
  /** Adds an instance that shares with the others. */
  join(): Promise<Instance>;
  /** Makes its store unavailable. */
  readonly breakDown?: () => Promise<void>;
  stop(): Promise<void>;
}

interface Options {
  /** Whether instances see each other's stored pages. */
  readonly remembers: boolean;
  /** Whether instances run at the same time: one waits for the call of another. */
  readonly coordinates: boolean;
}

const walk = '1|sends|';
const firstPage: PageOfWalk = { kind: 'first', walk, limit: 500 };
const laterPage: PageOfWalk = { kind: 'next', walk, cursor: 'c' };
const never = Number.MAX_SAFE_INTEGER;
/** Bound for its replies, even if its store does not reply: above any time limit, with room for a busy machine. */
const patienceMs = 10_000;

export function secondLevelSuite(
  name: string,
  clock: ForwardClock,
  open: () => Promise<SecondLevelUnderTest>,
  { remembers, coordinates }: Options,
): void {
  describe(name, () => {
    let it: SecondLevelUnderTest;
    let a: Instance;
    let b: Instance;
    beforeEach(async () => {
      it = await open();
      [a, b] = [await it.join(), await it.join()];
    });
    afterEach(async () => {
      // A lease whose outcome nobody reports is held for as long as its instance lives.
      for (const lease of granted.splice(0)) lease.released();
      await it.stop();
    });

    test('grants the lease for a missing page', async () => {
      expect((await look(a, firstPage)).kind).toBe('lease');
    });

    test('gives a stored page to the others, with its age and freshness', async () => {
      const { fetchedAt, freshUntil } = await store(a, firstPage, 'rows');
      const reply = pageOr('lease', await look(b, firstPage));
      if (!reply) return;
      expect(await textOf(reply)).toBe('rows');
      expect(Math.abs(reply.fetchedAt - fetchedAt)).toBeLessThanOrEqual(2);
      expect(Math.abs(reply.freshUntil - freshUntil)).toBeLessThanOrEqual(2);
    });

    test('never gives a page older than requested', async () => {
      const { fetchedAt } = await store(a, firstPage, 'rows');
      expect((await look(b, firstPage, { notBefore: fetchedAt + 5 })).kind).toBe('lease');
    });

    test('gives a stale page only to callers who accept one', async () => {
      await store(a, firstPage, 'rows');
      clock.forward(61);
      pageOr('lease', await look(b, firstPage, { mayBeStale: true }));
      const reply = await look(b, firstPage, { mayBeStale: false });
      expect(reply.kind).toBe('lease');
      // Better than an error.
      if (remembers && reply.kind === 'lease') expect(reply.fallback && (await textOf(reply.fallback))).toBe('rows');
    });

    test('never gives a page of another generation', async () => {
      const before = await store(a, firstPage, 'rows');
      await store(a, laterPage, 'more rows', before.generation);
      pageOr('lease', await look(b, laterPage));
      const after = await store(a, firstPage, 'new rows');
      expect(after.generation ?? 1).toBeGreaterThan(before.generation ?? 0);
      expect((await look(b, laterPage)).kind).toBe('lease');
    });

    test('does not store a later page fetched in an earlier generation', async () => {
      const { generation } = await store(a, firstPage, 'rows');
      await store(a, firstPage, 'new rows');
      await store(a, laterPage, 'more rows', generation);
      expect((await look(b, laterPage)).kind).toBe('lease');
    });

    test('remembers a refusal no longer than its time', async () => {
      const { lease } = await leaseOf(a, firstPage);
      lease.refused('campaign-not-found', 10_000);
      const reply = await reported(b);
      if (reply.kind === 'refusal') {
        expect(reply.code).toBe('campaign-not-found');
        expect(reply.until - clock.monotonic()).toBeLessThanOrEqual(10_000);
      }
      clock.forward(11);
      expect((await look(b, firstPage)).kind).toBe('lease');
    });

    test('gives the page of a call to those who wait, and the call takes their urgency', async () => {
      const { lease, demand } = await leaseOf(a, firstPage, 'bulk');
      const waiting = look(b, firstPage);
      await hasAsked(waiting, demand);
      await report(lease, a, firstPage, 'rows');
      const reply = await waiting;
      expect(reply.kind).toBe(coordinates ? 'page' : 'lease');
      if (reply.kind === 'page') expect(await textOf(reply.page)).toBe('rows');
    });

    test('gives those who wait the problem of a failed call', async () => {
      const { lease, demand } = await leaseOf(a, firstPage, 'bulk');
      const waiting = look(b, firstPage).catch((error: unknown) => error);
      await hasAsked(waiting, demand);
      lease.failed(new Problem('upstream-quota-exhausted', { reason: 'spent', retryAfterSeconds: 60 }));
      const outcome = await waiting;
      if (coordinates) expect(outcome).toBeInstanceOf(Problem);
      if (outcome instanceof Problem) {
        expect(outcome).toMatchObject({ code: 'upstream-quota-exhausted', reason: 'spent', retryAfterSeconds: 60 });
      }
    });

    test.each<[string, (lease: Lease) => void]>([
      ['its callers have disconnected', (lease) => lease.failed(new Problem('upstream-busy', { reason: 'abandoned' }))],
      [
        'its team has spent its share',
        (lease) => lease.failed(new Problem('upstream-quota-exhausted', { reason: 'share' })),
      ],
      ['it brought nothing for the page', (lease) => lease.released()],
    ])('passes the lease on when a call has ended because %s', async (_, end) => {
      const { lease, demand } = await leaseOf(a, firstPage, 'bulk');
      const waiting = look(b, firstPage);
      await hasAsked(waiting, demand);
      end(lease);
      expect((await waiting).kind).toBe('lease');
    });

    test("ends a wait with the signal's reason", async () => {
      const { demand } = await leaseOf(a, firstPage, 'bulk');
      const leaving = new AbortController();
      const waiting = look(b, firstPage, {}, leaving.signal).catch((error: unknown) => error);
      await hasAsked(waiting, demand);
      leaving.abort(new Error('left'));
      const outcome = await waiting;
      if (coordinates) expect(outcome).toEqual(new Error('left'));
    });

    test('gives nothing of a purged campaign, and notifies every instance', async () => {
      const told: unknown[] = [];
      for (const { secondLevel } of [a, b]) secondLevel.onPurge((campaign) => told.push(campaign));
      await store(a, firstPage, 'rows');
      expect(await a.secondLevel.purge('2')).toBe(true);
      pageOr('lease', await look(b, firstPage));
      expect(await a.secondLevel.purge('1')).toBe(true);
      expect((await look(b, firstPage)).kind).toBe('lease');
      if (coordinates) await until(() => told.length === 4, 'every instance hears of both');
      expect(new Set(told).size).toBeLessThanOrEqual(2);
    });

    test('learns the current generation of a walk', async () => {
      await store(a, firstPage, 'rows');
      await store(a, firstPage, 'new rows');
      await b.secondLevel.confirm(walk);
      expect(b.secondLevel.isDoubtful(walk)).toBe(false);
      if (remembers) expect(b.generations.of(walk).generation).toBe(a.generations.of(walk).generation);
    });

    test('grants the lease, without rejecting, while its store is unavailable', async () => {
      const { lease } = await leaseOf(a, laterPage);
      await it.breakDown?.();
      const startedAt = performance.now();
      const reply = await look(b, firstPage);
      expect(performance.now() - startedAt).toBeLessThan(patienceMs);
      if (reply.kind !== 'lease') throw new Error(reply.kind);
      await report(reply.lease, b, firstPage, 'rows');
      lease.failed(new Problem('upstream-failed'));
      await b.secondLevel.confirm(walk);
      expect(b.secondLevel.isDoubtful(walk)).toBe(false);
      expect(await a.secondLevel.purge('1')).toBe(it.breakDown === undefined);
    });

    /** Looks on another instance after a report that cannot be awaited. */
    async function reported(instance: Instance): Promise<SecondLevelReply> {
      return look(instance, firstPage);
    }

    function pageOr(other: 'lease', reply: SecondLevelReply) {
      if (reply.kind === 'page') return reply.page;
      expect([reply.kind, remembers]).toEqual([other, false]);
      return undefined;
    }

    /** Resolves when a look waits for the call, which shows by its raised urgency. */
    async function hasAsked(waiting: Promise<unknown>, demand: Demand): Promise<void> {
      if (!coordinates) return void (await waiting);
      await until(() => demand.urgency === 'interactive', 'it waits');
    }

    async function store(instance: Instance, page: PageOfWalk, text: string, askedIn = 0) {
      const { lease } = await leaseOf(instance, page);
      return report(lease, instance, page, text, askedIn);
    }

    async function report(lease: Lease, { generations }: Instance, of: PageOfWalk, text: string, askedIn = 0) {
      const fetchedAt = clock.monotonic();
      const times = { fetchedAt, freshUntil: fetchedAt + 60_000 };
      const body = await bodyOf(text);
      const arrived = { of, etag: body.etag, firstRow: text, askedIn, previousEtag: undefined };
      const generation = await lease.stored({ body, ...times }, arrived);
      return { ...times, generation: generation ?? generations.arrived(arrived) };
    }
  });
}

const bodyOf = (text: string): Promise<PageBody> =>
  makeBody({ json: text.padEnd(100), next: undefined, cursor: undefined, newestMs: 1 });
const textOf = async ({ body }: { readonly body: PageBody }) => (await identityOf(body)).toString().trimEnd();

const granted: Lease[] = [];

async function look(
  { secondLevel }: Instance,
  page: PageOfWalk,
  wanted: Partial<Wanted> = {},
  signal = new AbortController().signal,
  demand = new Demand('team', 'interactive'),
): Promise<SecondLevelReply> {
  const rebuild: Wanted['rebuild'] = (json) => ({
    ...{ json, next: undefined, cursor: undefined, newestMs: 1 },
    first: json.trimEnd(),
  });
  const reply = await secondLevel.look(
    page,
    { notBefore: 0, mayBeStale: true, known: undefined, rebuild, ...wanted },
    demand,
    signal,
  );
  if (reply.kind === 'lease') granted.push(reply.lease);
  return reply;
}

async function leaseOf(instance: Instance, page: PageOfWalk, urgency: Urgency = 'interactive') {
  const demand = new Demand('team', urgency);
  const reply = await look(instance, page, { notBefore: never, mayBeStale: false }, undefined, demand);
  if (reply.kind !== 'lease') throw new Error(reply.kind);
  return { lease: reply.lease, demand };
}
