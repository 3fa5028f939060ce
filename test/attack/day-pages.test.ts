/**
 * What callers see when their team's share of the day is spent, without effect on other teams.
 */
import { afterEach, expect, test } from '@jest/globals';
import { type Harness, start, until } from '../support/harness.ts';

const dayMs = 86_400_000;
let it: Harness;
afterEach(() => it.close());

/** Starts in the first second of a day. */
async function up(teams = ['a', 'b']): Promise<void> {
  it = await start({
    SENDGATE_QUOTA_PER_DAY: '20',
    SENDGATE_QUOTA_RESERVE: '0',
    SENDGATE_CALLERS_REQUIRED: String(teams.length > 0),
    SENDGATE_SERVER_TRUST_PROXY: 'loopback',
    SENDGATE_TEAMS: JSON.stringify(teams.map((name) => ({ name, header: { name: 'x-team', value: name } }))),
  });
  it.clock.forward((dayMs - (it.clock.now() % dayMs)) / 1000);
  it.sandbox.campaign({ id: '1', size: 900, newestMs: it.clock.now() });
}

const ask = (team: string, limit: number) => it.get(`/campaigns/1/sends?limit=${limit}`, { 'x-team': team });

async function drain(team: string): Promise<Response> {
  for (let limit = 100; ; limit++) {
    const answer = await ask(team, limit);
    if (answer.status !== 200) return answer;
  }
}

test('a refused caller sees that the share of its team is spent, and when to retry', async () => {
  await up();
  const refused = await drain('a');
  expect(it.sandbox.callCount).toBe(10);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({
    type: '/problems/upstream-quota-exhausted',
    detail: expect.stringMatching(/^Your team's share/),
  });
  const seconds = Number(refused.headers.get('retry-after'));
  // Lending allows the eleventh call when b keeps 9 of its 10, half a call's time after 00:00.
  expect(seconds).toBeGreaterThan(3_000);
  expect(seconds).toBeLessThan(7_300);
  it.clock.forward(seconds);
  expect((await ask('a', 400)).status).toBe(200);
  const linesOf = (event: string) => it.lines.filter((line) => line.includes(event)).map((line) => JSON.parse(line));
  expect(linesOf('quota.team_spent')).toMatchObject([{ team: 'a', calls: 11, part: 10, borrowed: 1 }]);
  expect(linesOf('quota.team_refused')).toMatchObject([{ team: 'a', limit: 'share', calls: 10, part: 10 }]);
  expect(await (await fetch(`${it.service.managementUrl}/readyz`)).json()).toEqual({ status: 'ready', upstream: 'ok' });
});

test('a stale page that a team may not refresh is refreshed for the next team that may', async () => {
  await up();
  await ask('b', 500);
  await drain('a');
  it.clock.forward(90);
  const stale = await ask('a', 500);
  expect(stale.headers.get('cache-status')).toMatch(/^sendgate; hit; ttl=-\d+; detail=stale-while-revalidate$/);
  expect((await ask('a', 500)).status).toBe(200);
  const calls = it.sandbox.callCount;
  await until(async () => (await ask('b', 500)).headers.get('age') === '0', 'it is refreshed');
  expect(it.sandbox.callCount).toBe(calls + 1);
});

test('a client that only has hits keeps its half of the share of its team', async () => {
  await up([]);
  const from = (address: string, limit: number) =>
    it.get(`/campaigns/1/sends?limit=${limit}`, { 'x-forwarded-for': address });
  await from('10.0.0.1', 500);
  await from('10.0.0.2', 500);
  expect(it.sandbox.callCount).toBe(1);
  const statuses: number[] = [];
  for (let limit = 100; limit < 115; limit++) statuses.push((await from('10.0.0.1', limit)).status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(9);
  const refused = await from('10.0.0.1', 200);
  expect(await refused.json()).toMatchObject({ detail: expect.stringMatching(/for its other clients/) });
  expect((await from('10.0.0.2', 300)).status).toBe(200);
});

test('the account is exhausted for all only when the whole day is spent', async () => {
  await up();
  await drain('a');
  const refused = await drain('b');
  expect(it.sandbox.callCount).toBe(20);
  expect(await refused.json()).toMatchObject({ detail: expect.stringMatching(/daily quota of the account is spent/) });
  expect(await (await fetch(`${it.service.managementUrl}/readyz`)).json()).toMatchObject({
    upstream: 'quota-exhausted',
  });
  expect(it.service.status().teams).toEqual([
    { team: 'a', calls: 10, part: 10, borrowed: 0, kept: 0, available: 0 },
    { team: 'b', calls: 10, part: 10, borrowed: 0, kept: 0, available: 0 },
  ]);
});
