/**
 * Every setting that is marked live has its effect after a reload.
 */
import { afterEach, expect, test } from '@jest/globals';
import { settings } from '../src/config/settings.ts';
import { FakeClock } from './support/clock.ts';
import { type Answer, as, ask, type Edited, type Settings, startEdited, team } from './support/edited.ts';
import { until } from './support/harness.ts';

let it: Edited;
let clock: FakeClock;
afterEach(() => it.close());

let pages = 0;
/** A page that no test has asked for. */
const newPage = () => `/campaigns/1/sends?limit=${++pages}`;

/** By path: the settings before and after, and what tells them apart. */
const effects: Readonly<Record<string, readonly [before: Settings, after: Settings, see: () => Promise<unknown>]>> = {
  'server.allowedHosts': [
    { server: { allowedHosts: ['a.example'] } },
    { server: { allowedHosts: ['b.example'] } },
    async () => {
      const headers = { host: 'a.example' };
      return [(await it.ask(headers)).status, (await ask(it.service.managementUrl, '/livez', headers)).status];
    },
  ],
  'callers.requestsPerMinute': [
    { callers: { requestsPerMinute: 50 } },
    { callers: { requestsPerMinute: 60 } },
    async () => limitIn(await it.ask()),
  ],
  'callers.required': [
    { teams: [team('web')] },
    { teams: [team('web')], callers: { required: true } },
    async () => [(await it.ask()).status, it.teams()['default']?.part ?? 0],
  ],
  'callers.cors.origins': [
    { callers: { cors: { origins: ['https://a.example'] } } },
    { callers: { cors: { origins: ['https://b.example'] } } },
    async () => (await it.ask({ origin: 'https://b.example' })).headers['access-control-allow-origin'],
  ],
  teams: [
    { teams: [team('web')] },
    { teams: [team('web', { callsPerDay: 7, requestsPerMinute: 70 })] },
    async () => [limitIn(await it.ask(as('web'))), it.teams()['web']?.part],
  ],
  'cache.maxBytes': [
    { cache: { maxBytes: 100_000_000 }, quota: { perSecond: 1_000 } },
    { cache: { maxBytes: 1_048_576 }, quota: { perSecond: 1_000 } },
    async () => {
      it.sandbox.campaign({ id: '5', size: 500, newestMs: clock.now() });
      for (let limit = 500; limit > 350; limit--) await it.ask({}, `/campaigns/5/sends?limit=${limit}`);
      return it.service.status().cache.bytes > 1_048_576;
    },
  ],
  'cache.minFreshSeconds': [
    { cache: { minFreshSeconds: 100 } },
    { cache: { minFreshSeconds: 200 } },
    () => hitOf(newPage()),
  ],
  'cache.maxFreshSeconds': [
    { cache: { maxFreshSeconds: 100 } },
    { cache: { maxFreshSeconds: 200 } },
    async () => {
      it.sandbox.campaign({ id: '5', size: 500, newestMs: clock.now() - 86_400_000 });
      return hitOf(newPage().replace('/1/', '/5/'));
    },
  ],
  'cache.staleIfErrorSeconds': [
    { cache: { staleIfErrorSeconds: 86_400 } },
    { cache: { staleIfErrorSeconds: 0 } },
    async () => {
      const target = newPage();
      await it.ask({}, target);
      await clock.pass(3_600_000);
      it.sandbox.fault({ kind: 'status', status: 400 });
      const { status } = await it.ask({}, target);
      it.sandbox.heal();
      return status;
    },
  ],
  'cache.readAheadPages': [
    { cache: { readAheadPages: 0 } },
    { cache: { readAheadPages: 3 } },
    async () => {
      const id = String(100 + ++pages);
      it.sandbox.campaign({ id, size: 2_500, newestMs: clock.now() });
      const calls = it.sandbox.callCount;
      const { meta } = await it.page(`/campaigns/${id}/sends`);
      await it.get(meta.pagination.next_link ?? '');
      await clock.pass(60_000);
      await settledCalls();
      return it.sandbox.callCount - calls;
    },
  ],
  'cache.notFoundSeconds': [
    { cache: { notFoundSeconds: 100 } },
    { cache: { notFoundSeconds: 1_000 } },
    async () => {
      const target = `/campaigns/${7_000 + ++pages}/sends`;
      await it.ask({}, target);
      const calls = it.sandbox.callCount;
      await clock.pass(200_000);
      await it.ask({}, target);
      return it.sandbox.callCount > calls;
    },
  ],
  'quota.perSecond': [
    { quota: { perSecond: 3 } },
    { quota: { perSecond: 5 } },
    async () => {
      await clock.pass(5_000);
      const asked = Array.from({ length: 9 }, () => it.ask({}, newPage()));
      await until(() => it.waiting() === 9 - it.service.status().upstream.callsThisSecond, 'the others are queued');
      const { callsThisSecond } = it.service.status().upstream;
      await clock.passUntil(Promise.all(asked));
      return callsThisSecond;
    },
  ],
  'quota.perDay': [
    { quota: { perDay: 50 } },
    { quota: { perDay: 60 } },
    async () => it.service.status().upstream.leftToday,
  ],
  'quota.reserve': [
    { quota: { perDay: 10, reserve: 0 } },
    { quota: { perDay: 10, reserve: 100 } },
    // A refresh may not spend what is reserved for callers who wait.
    async () => {
      const target = newPage();
      await it.ask({}, target);
      await clock.pass(120_000);
      const calls = it.sandbox.callCount;
      await it.ask({}, target);
      await settledCalls();
      return it.sandbox.callCount - calls;
    },
  ],
  'quota.maxWaitMs': [
    { quota: { perSecond: 1, maxWaitMs: 8_000 } },
    { quota: { perSecond: 1, maxWaitMs: 0 } },
    () => second(),
  ],
  'quota.maxQueue': [
    { quota: { perSecond: 1, maxQueue: 100 } },
    { quota: { perSecond: 1, maxQueue: 1 } },
    () => second(),
  ],
  'exports.perTeam': [
    { exports: { perTeam: 10 }, quota: { perSecond: 1 } },
    { exports: { perTeam: 1 }, quota: { perSecond: 1 } },
    async () => {
      const both = ['/campaigns/2/sends.csv', '/campaigns/3/sends.csv'].map((target) => it.ask({}, target));
      return (await clock.passUntil(Promise.all(both))).map(({ status }) => status);
    },
  ],
  'log.level': [
    { log: { level: 'error' } },
    { log: { level: 'info' } },
    async () => {
      it.lines.length = 0;
      await it.ask();
      return it.lines.length;
    },
  ],
};

const limitIn = ({ headers }: Answer) => /q=\d+/.exec(headers['ratelimit-policy'] ?? '')?.[0];

/** How long a page stays fresh that is asked for the first time. */
async function hitOf(target: string) {
  await it.ask({}, target);
  return (await it.ask({}, target)).headers['cache-status'];
}

/** Asks for several pages at once while one call a second is allowed. */
async function second() {
  await clock.pass(5_000);
  const asked = Array.from({ length: 5 }, () => it.ask({}, newPage()));
  return (await clock.passUntil(Promise.all(asked))).map(({ status }) => status).sort();
}

/** Waits until no call has come for ten rounds in a row: on a busy machine one takes longer than a round. */
async function settledCalls() {
  for (let quiet = 0, last = -1; quiet < 10; quiet++) {
    if (last !== it.sandbox.callCount) quiet = 0;
    last = it.sandbox.callCount;
    await clock.pass(1_000);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

test.each(settings().filter(({ isLive }) => isLive))('$path', async ({ path }) => {
  const [before, after, see] = effects[path] ?? [];
  if (!before || !after || !see) throw new Error(`add the effect of ${path}`);
  clock = new FakeClock(Date.parse('2026-03-03T06:00:00Z'));
  it = await startEdited(before, clock);
  const seen = await see();
  it.reload(after);
  const seenAfter = await see();
  await it.close();
  it = await startEdited(after, clock);
  const expected = await see();
  expect(seen).not.toEqual(expected);
  expect(seenAfter).toEqual(expected);
});
