/**
 * Unknown ids cost calls. A client may request a few of them, at no cost to others.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { activityIdOf, campaignIdOf } from '../../src/sandbox/v3.ts';
import { type Harness, start, until } from '../support/harness.ts';
import { firstPage } from '../support/queries.ts';

let it: Harness;
afterEach(() => it.close());

const from = (address: string) => ({ 'x-forwarded-for': address });
const greedy = from('10.0.0.1');
const env = { SENDGATE_SERVER_TRUST_PROXY: 'loopback' };

test('a client that requests 200 unknown ids at once causes 60 calls, then gets 429', async () => {
  it = await start(env);
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
  it.sandbox.campaign({ id: '2', size: 3, newestMs: Date.now() });
  await it.get('/campaigns/1/sends', greedy);
  it.sandbox.forget();
  const asked = Array.from({ length: 200 }, (_, n) =>
    it.get(`/campaigns/${5000 + n}/${n % 2 ? 'summary' : 'sends'}`, greedy),
  );
  const answers = await Promise.all(asked);
  expect(answers.filter(({ status }) => status === 404)).toHaveLength(60);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(140);
  expect(it.sandbox.callCount).toBe(60);
  expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(3_500);
  expect(await refused[0]?.json()).toMatchObject({
    type: '/problems/rate-limited',
    detail: expect.stringMatching(/do not exist/),
  });

  // Known ids are still served, other clients are unaffected, and an hour later the client may request unknown ids again.
  expect((await it.get('/campaigns/1/sends?limit=2', greedy)).status).toBe(200);
  expect((await it.get('/campaigns/2/sends', greedy)).status).toBe(429);
  expect((await it.get('/campaigns/2/sends', from('10.0.0.2'))).status).toBe(200);
  expect((await it.get('/campaigns/9999/sends', from('10.0.0.2'))).status).toBe(404);
  it.clock.forward(3_601);
  expect((await it.get('/campaigns/8888/sends', greedy)).status).toBe(404);
});

test('two hundred existing campaigns requested at once are all answered', async () => {
  it = await start(env);
  for (let n = 0; n < 200; n++) it.sandbox.campaign({ id: String(100 + n), size: 1, newestMs: Date.now() });
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) => it.get(`/campaigns/${100 + n}/sends`, greedy)),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(200).fill(200));
});

test('in a team counted as a whole, the unknown ids of one client do not affect the others', async () => {
  const teams = [{ name: 'c', networks: ['10.3.0.0/16'], requestsPerMinute: 3_000 }];
  it = await start({ ...env, SENDGATE_TEAMS: JSON.stringify(teams) });
  for (const id of ['1', '2']) it.sandbox.campaign({ id, size: 3, newestMs: Date.now() });
  await it.get('/campaigns/1/sends', from('10.3.0.2'));
  await Promise.all(Array.from({ length: 60 }, (_, n) => it.get(`/campaigns/${5000 + n}/sends`, from('10.3.0.1'))));
  expect((await it.get('/campaigns/2/sends', from('10.3.0.1'))).status).toBe(429);
  // An id known to exist is known for all clients and resources.
  for (const target of ['sends?created_since=2012-12-01', 'sends.csv', 'summary', 'opens'])
    expect((await it.get(`/campaigns/1/${target}`, from('10.3.0.1'))).status).toBe(200);
  expect((await it.get('/campaigns/2/sends', from('10.3.0.2'))).status).toBe(200);
});

test('an unknown id costs one call a minute, whatever is requested about it', async () => {
  it = await start(env);
  for (let limit = 1; limit <= 20; limit++)
    expect((await it.get(`/campaigns/77/sends?limit=${limit}`, greedy)).status).toBe(404);
  for (const target of ['/summary', '/sends.csv', '/sends?created_since=2012-12-01', '/opens', '/links', ''])
    expect((await it.get(`/campaigns/77${target}`, greedy)).status).toBe(404);
  expect(it.sandbox.callCount).toBe(1);
  it.clock.forward(61);
  it.sandbox.campaign({ id: '77', size: 3, newestMs: Date.now() });
  expect((await it.get('/campaigns/77/sends', greedy)).status).toBe(200);
});

test('a cached page is served to a client over its limit, even if stale', async () => {
  it = await start(env);
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
  await it.service.pages.prefetch(firstPage('1'), { team: 'default' });
  await Promise.all(Array.from({ length: 60 }, (_, n) => it.get(`/campaigns/${5000 + n}/sends`, greedy)));
  it.clock.forward(90);
  const answer = await it.get('/campaigns/1/sends', greedy);
  expect([answer.status, answer.headers.get('cache-status')]).toEqual([200, expect.stringContaining('stale')]);
});

test('a caller who joins a call after the first caller disconnects gets its page', async () => {
  it = await start({ ...env, SENDGATE_CONSTANT_CONTACT_RETRIES: '2' });
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
  it.sandbox.fault({ kind: 'latency', ms: 300 });
  it.sandbox.fault({ kind: 'status', status: 500, times: 1 });
  const leaver = new AbortController();
  const left = fetch(`${it.url}/campaigns/1/sends`, { signal: leaver.signal, headers: greedy }).catch(() => {});
  await until(() => it.sandbox.callCount === 1, 'the call is made');
  leaver.abort();
  await left;
  await until(() => it.lines.some((line) => line.includes('"status":499')), 'the first caller has left');
  expect((await it.get('/campaigns/1/sends', from('10.0.0.2'))).status).toBe(200);
});

describe('with v3', () => {
  const uuidOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  const known = ['1', '2'].flatMap((id) => [id, activityIdOf(id), campaignIdOf(id)]);

  test.each(['not-found', 'empty'] as const)(
    'a flood of invented UUIDs causes two calls each for 60 of them, and affects no other client: %s',
    async (unknownActivities) => {
      it = await start(env, { unknownActivities }, 'v3');
      for (const id of ['1', '2']) it.sandbox.campaign({ id, size: 3, newestMs: Date.now() });
      for (const id of known.slice(0, 3)) await it.get(`/campaigns/${id}/sends`, greedy);
      it.sandbox.forget();
      const asked = Array.from({ length: 200 }, (_, n) => it.get(`/campaigns/${uuidOf(n)}/sends`, greedy));
      const statuses = (await Promise.all(asked)).map(({ status }) => status);
      expect(statuses.filter((status) => status === (unknownActivities === 'empty' ? 200 : 404))).toHaveLength(60);
      expect(statuses.filter((status) => status === 429)).toHaveLength(140);
      expect(it.sandbox.callCount).toBe(120);

      // Known campaigns are still served, by each id and for every resource.
      for (const id of known.slice(0, 3))
        for (const target of ['sends?limit=2', 'summary', 'sends?created_since=2020-01-01', 'opens'])
          expect((await it.get(`/campaigns/${id}/${target}`, greedy)).status).toBe(200);
      expect((await it.get(`/campaigns/${campaignIdOf('2')}/sends`, greedy)).status).toBe(429);
      for (const id of known) expect((await it.get(`/campaigns/${id}/sends`, from('10.0.0.2'))).status).toBe(200);
      it.clock.forward(3_601);
      expect((await it.get(`/campaigns/${uuidOf(999)}/sends`, greedy)).status).not.toBe(429);
    },
  );

  test('an empty UUID requested repeatedly counts once', async () => {
    it = await start(env, { unknownActivities: 'empty' }, 'v3');
    for (let limit = 1; limit <= 100; limit++)
      expect((await it.get(`/campaigns/${uuidOf(1)}/sends?limit=${limit}`, greedy)).status).toBe(200);
    expect((await it.get(`/campaigns/${uuidOf(2)}/sends`, greedy)).status).toBe(200);
    expect(it.sandbox.callCount).toBe(103);
  });

  test('failing lookups of one client delay no other client', async () => {
    it = await start(env, {}, 'v3');
    it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
    it.sandbox.fault({ kind: 'hang', path: '/v3/emails/0000' });
    const leaver = new AbortController();
    const hanging = Array.from({ length: 20 }, (_, n) =>
      fetch(`${it.url}/campaigns/${uuidOf(n)}/sends`, { headers: greedy, signal: leaver.signal }).catch(() => {}),
    );
    await until(() => it.sandbox.calls.some(({ path }) => path.startsWith('/v3/emails/0000')), 'they hang');
    for (const id of known.slice(0, 3))
      expect((await it.get(`/campaigns/${id}/sends`, from('10.0.0.2'))).status).toBe(200);
    leaver.abort();
    await Promise.all(hanging);
  });
});
