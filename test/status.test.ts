/**
 * What `/status` says to callers, and how the live view puts it into words.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { liveNow, liveStates, statusOf } from '../docs/screenshots/live-states.ts';
import type { Status } from '../src/client/client.ts';
import { DayPace } from '../src/observability/day-pace.ts';
import { dayMs } from '../src/quota/day.ts';
import { borrowingInWords } from '../src/site/browser/borrowing.ts';
import { forecast } from '../src/site/browser/forecast.ts';
import { chooseZone } from '../src/site/browser/times.ts';
import { accessToken, apiKey, start } from './support/harness.ts';

test('says since when the quota is spent, counts errors by team, and gives away no secret and no address', async () => {
  const digest = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
  const it = await start({
    SENDGATE_QUOTA_PER_DAY: '2',
    SENDGATE_QUOTA_RESERVE: '0',
    SENDGATE_TEAMS: JSON.stringify([{ name: 'web', requestsPerMinute: 4, tokensSha256: [digest] }]),
  });
  try {
    it.sandbox.campaign({ id: '1', size: 3, newestMs: it.clock.now() });
    const token = { authorization: 'Bearer test' };
    const statusNow = async () => (await (await it.get('/status')).json()) as Status;
    expect((await statusNow()).upstream.state).toBe('untested');
    for (const id of ['1', '9', '1']) await it.get(`/campaigns/${id}/sends`, token);
    const spentBy = it.clock.now();
    it.clock.forward(30);
    for (const id of ['8', '1']) await it.get(`/campaigns/${id}/sends`, token);
    it.clock.forward(600);
    const status = await statusNow();
    expect(Object.keys(status).sort()).toEqual(['errors', 'queues', 'served', 'teams', 'upstream']);
    expect(status.upstream.state).toBe('quota-exhausted');
    expect(Date.parse(status.upstream.since)).toBeLessThanOrEqual(spentBy);
    expect(status.errors).toEqual({ web: { rateLimited: 1, rejected: 1, failed: 1 } });
    const text = JSON.stringify(status);
    for (const secret of [digest, apiKey, accessToken, '127.0.0.1', '::1']) expect(text).not.toContain(secret);
  } finally {
    await it.close();
  }
});

describe('the pace of the day', () => {
  const midnight = Date.parse('2026-01-31T00:00:00Z');
  const at = (minutes: number) => ({ wall: midnight + minutes * 60_000, monotonic: minutes * 60_000 });
  const day = (callsToday: number, days = 1) => ({
    callsToday,
    dayEndsAt: new Date(midnight + days * dayMs).toISOString(),
  });

  test('is that of the last half hour, also after hours that were quieter', () => {
    const pace = new DayPace();
    pace.note(day(100), at(60));
    // Others have called meanwhile: two a minute.
    for (let minute = 500; minute <= 520; minute++) pace.note(day(980 + (minute - 500) * 200), at(minute));
    expect(pace.read(day(4_980), at(520))).toEqual({ calls: 4_020, seconds: 1_800 });
  });

  test('begins with the start of Sendgate, whatever was called before, and anew with each day', () => {
    const pace = new DayPace();
    pace.note(day(3_000), at(1_400));
    expect(pace.read(day(3_010), at(1_405))).toEqual({ calls: 10, seconds: 300 });
    expect(pace.read(day(5, 2), at(1_440 + 4))).toEqual({ calls: 5, seconds: 240 });
  });
});

describe('the forecast', () => {
  beforeAll(() => chooseZone('utc'));
  const now = liveNow.getTime();
  const day = (pace: Status['upstream']['pace'], left = 5_000) => ({
    ...{ callsToday: 10_000 - left, leftToday: left, dayEndsAt: '2026-02-01T00:00:00.000Z' },
    pace,
  });

  test.each([
    [
      { calls: 1_180, seconds: 1_800 },
      5_000,
      '(2,400 calls an hour), the day’s calls will be spent at about 16:15 UTC.',
    ],
    [{ calls: 360, seconds: 1_800 }, 5_000, '(720 calls an hour), the day’s calls will be spent at about 21:00 UTC.'],
    [{ calls: 7_000, seconds: 1_800 }, 500, 'will be spent within ten minutes.'],
    [
      { calls: 60, seconds: 1_800 },
      5_000,
      'the day’s calls will last: about 62% will be spent by 1 Feb 2026, 00:00 UTC.',
    ],
    [{ calls: 0, seconds: 1_800 }, 5_000, 'At the rate of the last 30 minutes (no calls), the day’s calls will last.'],
    [{ calls: 500, seconds: 140 }, 5_000, 'Too early for a forecast'],
    [{ calls: 500, seconds: 140 }, 0, 'All calls of the day are spent.'],
  ])('of %j with %d left says: %s', (pace, left, words) => {
    expect(forecast(day(pace, left), now)).toContain(words);
  });
});

test('who borrows from whom is said as exactly as it is known', () => {
  const words = (name: string) => borrowingInWords(statusOf(liveStates[name]?.teams ?? []));
  expect(words('full')).toBe(
    'Borrowed today: bi 412. Borrowed calls come from all unused shares together, not from one team. Still unused: web 3,360, default 2,286.',
  );
  expect(words('spent')).toContain('None is left.');
  expect(words('started')).toBe('Only default has a share of the day, so no team borrows.');
  expect(words('empty')).toBe('No team has a share of the day.');
  const two = [
    { team: 'web', calls: 10 },
    { team: 'bi', calls: 5_100 },
  ];
  expect(borrowingInWords(statusOf(two))).toBe('Borrowed today: bi 100, all from web.');
});
