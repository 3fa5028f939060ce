/**
 * Ids of v3 where there are several processes: instances that share a Redis, workers, and one that is killed.
 */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { digestWith } from '../src/redis/digests.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf, campaignIdOf } from '../src/sandbox/v3.ts';
import { ForwardClock } from './support/clock.ts';
import {
  type Environment,
  type Harness,
  oauth,
  type PageJson,
  type SendgateProcess,
  startInstance,
  startProcess,
  startSandbox,
  until,
  upstreamEnv,
} from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

const v2Id = '1100394165287';
const ids = { campaign: campaignIdOf(v2Id), activity: activityIdOf(v2Id), v2: v2Id };
const all = Object.values(ids);
const newestMs = Date.parse('2026-01-01T12:00:00Z');

let sandbox: Sandbox;
const paths = () => sandbox.calls.map(({ path }) => path);
const pageCalls = () => paths().filter((path) => path.includes(`${ids.activity}/tracking/sends`));
const lookups = () => paths().filter((path) => path.startsWith('/v3/emails/'));

const pageOf = async (url: string, target: string) => (await (await fetch(`${url}${target}`)).json()) as PageJson;

async function walk(urls: readonly string[], id: string): Promise<void> {
  const seen = new Set<string>();
  let next: string | undefined = `/campaigns/${id}/sends`;
  for (let n = 0; next !== undefined; n++) {
    const page: PageJson = await pageOf(urls[n % urls.length] ?? '', next);
    for (const { campaign_id, contact_id } of page.results) {
      expect(campaign_id).toBe(id);
      expect(seen.has(contact_id)).toBe(false);
      seen.add(contact_id);
    }
    next = page.meta.pagination.next_link;
  }
  expect(seen.size).toBe(1_234);
}

const purge = (managementUrl: string, id: string) => fetch(`${managementUrl}/purge?campaign=${id}`, { method: 'POST' });

describe('Instances that share a Redis', () => {
  let redis: RedisServer;
  let clock: ForwardClock;
  let instances: Harness[];
  beforeEach(async () => {
    redis = await RedisServer.start();
    clock = new ForwardClock();
    sandbox = await startSandbox({ clock, oauth: { ...oauth, rotating: false } });
    sandbox.campaign({ id: v2Id, size: 1_234, newestMs });
    instances = [];
  });
  afterEach(async () => {
    await Promise.all(instances.map((instance) => instance.close()));
    await sandbox.stop();
    await redis.stop();
  });

  async function add(env: Environment = {}): Promise<Harness> {
    const patient = { REDIS_URL: redis.url, SENDGATE_REDIS_TIMEOUT_MS: '2000' };
    const instance = await startInstance(sandbox, clock, { ...patient, ...env }, 'v3');
    instances.push(instance);
    return instance;
  }

  test('make one call per page and one lookup per id, on any instance', async () => {
    const [a, b] = [await add(), await add()];
    for (const id of all) {
      await walk([a.url, b.url], id);
      await walk([b.url, a.url], id);
    }
    expect(pageCalls()).toHaveLength(3);
    expect(lookups()).toEqual([`/v3/emails/${ids.campaign}`, '/v3/emails/campaign_id_xrefs']);
  });

  test('look an id up once that is requested on all of them at the same time', async () => {
    const both = [await add(), await add(), await add()];
    sandbox.fault({ kind: 'latency', ms: 50 });
    const answers = await Promise.all(both.map(({ url }) => fetch(`${url}/campaigns/${v2Id}/sends`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(lookups()).toHaveLength(1);
    expect(pageCalls()).toHaveLength(1);
  });

  test.each(all)('purge a campaign by any of its ids, even one that only the other instance knows: %s', async (id) => {
    const [a, b] = [await add(), await add()];
    for (const one of all) {
      for (const tail of ['/sends', '/opens', '/summary', '/links', '']) await a.get(`/campaigns/${one}${tail}`);
    }
    await a.get('/campaigns');
    const late = await add();
    sandbox.campaign({
      id: v2Id,
      size: 7,
      newestMs,
      name: 'Another',
      urls: [{ url: 'https://example.com/', clicks: 7 }],
    });
    expect(await (await purge(late.service.managementUrl, id)).json()).toMatchObject({ everywhere: true });
    await until(() => a.service.pages.count === 0, 'the other has forgotten too');
    sandbox.forget();
    for (const instance of [a, b, late]) {
      for (const one of all) {
        expect((await instance.page(`/campaigns/${one}/sends`)).results).toHaveLength(7);
        expect((await instance.page(`/campaigns/${one}/opens`)).results).toHaveLength(3);
        expect(await (await instance.get(`/campaigns/${one}/summary`)).json()).toMatchObject({ sends: 7 });
        expect((await instance.page(`/campaigns/${one}/links`)).results).toHaveLength(1);
        expect(await (await instance.get(`/campaigns/${one}`)).json()).toMatchObject({ name: 'Another' });
      }
      expect((await instance.page('/campaigns')).results).toEqual([expect.objectContaining({ name: 'Another' })]);
    }
    expect(pageCalls()).toHaveLength(1);
    // The others are lookups of ids that the late instance has not heard of.
    const calls = paths().filter((path) => path.includes(ids.activity) || /\/(emails|\w+_summaries)$/.test(path));
    expect(new Set(calls).size).toBe(7);
    expect(calls).toHaveLength(7);
  });

  test('learn an activity from rows that another instance has fetched', async () => {
    const [a, b] = [await add(), await add()];
    await a.page(`/campaigns/${ids.activity}/sends`);
    await b.page(`/campaigns/${ids.activity}/sends`);
    expect((await purge(b.service.managementUrl, ids.activity)).status).toBe(200);
    expect(lookups()).toEqual([]);
  });

  test('ignore ids without a valid digest', async () => {
    const a = await add();
    sandbox.campaign({ id: '2', size: 3, newestMs });
    await redis.ask(async (client) => {
      const channels = (await client.call('PUBSUB', 'CHANNELS')) as string[];
      for (const channel of channels) {
        for (const proof of ['', 'x', 'x'.repeat(32)])
          await client.publish(channel, JSON.stringify(['ids', proof, ids.campaign, activityIdOf('2')]));
      }
      expect(channels).not.toHaveLength(0);
    });
    const { results } = await a.page(`/campaigns/${ids.campaign}/sends`);
    expect(results).toHaveLength(500);
  });

  test('ignore ids with a digest keyed by the client id, which is not a secret', async () => {
    await sandbox.stop();
    const { clientSecret: _, ...publicClient } = oauth;
    sandbox = await startSandbox({ clock, oauth: { ...publicClient, rotating: false } });
    sandbox.campaign({ id: v2Id, size: 1_234, newestMs });
    sandbox.campaign({ id: '2', size: 3, newestMs });
    const a = await add({ CONSTANT_CONTACT_CLIENT_SECRET: '' });
    const pair = [ids.campaign, activityIdOf('2')];
    const proof = digestWith(() => oauth.clientId)('ids', pair.join(' '));
    // Messages come in their order: when the second one is followed, the first one has been heard.
    const told = [JSON.stringify(['ids', proof, ...pair]), JSON.stringify(['purge', 'v3', ''])];
    await a.page(`/campaigns/${ids.activity}/sends`);
    await redis.ask(async (client) => {
      const [channel = ''] = (await client.call('PUBSUB', 'CHANNELS')) as string[];
      for (const message of told) await client.publish(channel, message);
    });
    await until(() => a.service.pages.count === 0, 'both are heard');
    expect((await a.page(`/campaigns/${ids.campaign}/sends`)).results).toHaveLength(500);
  });
});

describe('A Sendgate in a separate process', () => {
  let folder: string;
  let sendgate: SendgateProcess | undefined;
  let env: Environment;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sendgate-ids-'));
    sandbox = await startSandbox({ oauth: { ...oauth, rotating: false } });
    sandbox.campaign({ id: v2Id, size: 1_234, newestMs });
    env = { ...upstreamEnv(sandbox, 'v3'), SENDGATE_QUOTA_STATE_FILE: join(folder, 'state.json') };
  });
  afterEach(async () => {
    await sendgate?.stop();
    await sandbox.stop();
  });

  test('with workers looks all ids up once, stores them, and drops copies when the campaign changes', async () => {
    sendgate = await startProcess({ ...env, SENDGATE_WORKERS: '2' });
    const { url, managementUrl } = sendgate;
    const targets = all.map((id) => `/campaigns/${id}/sends`);
    for (const target of [...targets, ...targets]) expect((await pageOf(url, target)).results).toHaveLength(500);
    expect(pageCalls()).toHaveLength(1);
    expect(lookups()).toHaveLength(2);
    expect(JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')).ids).toHaveLength(2);

    for (const by of all) {
      sandbox.addSends(v2Id, 1);
      // Over connections of their own, so that every worker has copies.
      const ask = async (target: string) => {
        const { results } = (await (
          await fetch(`${url}${target}`, { headers: { connection: 'close' } })
        ).json()) as PageJson;
        return results[0]?.send_date;
      };
      const before = await Promise.all([...targets, ...targets].map(ask));
      expect((await purge(managementUrl, by)).status).toBe(200);
      const calls = pageCalls().length;
      await until(async () => (await ask(targets[0] ?? '')) !== before[0], 'the new page is answered');
      const after = await Promise.all([...targets, ...targets, ...targets].map(ask));
      expect(new Set(after).size).toBe(1);
      expect(pageCalls()).toHaveLength(calls + 1);
    }
    expect(lookups()).toHaveLength(2);
  });

  test('with workers drops the copies of all ids when one of them starts a new generation', async () => {
    sendgate = await startProcess({ ...env, SENDGATE_WORKERS: '2', SENDGATE_CACHE_MIN_FRESH_SECONDS: '1' });
    const { url } = sendgate;
    const newest = async (id: string, headers: Record<string, string> = {}) => {
      const answer = await fetch(`${url}/campaigns/${id}/sends`, { headers: { connection: 'close', ...headers } });
      return ((await answer.json()) as PageJson).results[0]?.contact_id;
    };
    const ofAll = () => Promise.all([...all, ...all, ...all, ...all].map((id) => newest(id)));
    const [before] = await ofAll();
    expect(new Set(await ofAll())).toEqual(new Set([before]));
    sandbox.addSends(v2Id, 1);
    await until(
      async () => (await newest(ids.activity, { 'cache-control': 'no-cache' })) !== before,
      'the activity is fetched again',
    );
    await until(async () => !(await ofAll()).includes(before), 'no worker has an old copy');
  });

  test('with workers drops copies of an empty page when its id turns out to mean a campaign', async () => {
    await sandbox.stop();
    sandbox = await startSandbox({ oauth: { ...oauth, rotating: false }, unknownActivities: 'empty' });
    sendgate = await startProcess({ ...env, ...upstreamEnv(sandbox, 'v3'), SENDGATE_WORKERS: '2' });
    const { url } = sendgate;
    const sizes = () =>
      Promise.all(
        Array.from({ length: 8 }, async () => {
          const answer = await fetch(`${url}/campaigns/${ids.campaign}/sends`, { headers: { connection: 'close' } });
          return ((await answer.json()) as PageJson).results.length;
        }),
      );
    expect(new Set(await sizes())).toEqual(new Set([0]));
    sandbox.campaign({ id: v2Id, size: 3, newestMs });
    expect(new Set(await sizes())).toEqual(new Set([0]));
    expect((await pageOf(url, `/campaigns/${v2Id}/sends`)).results).toHaveLength(3);
    await until(async () => (await sizes()).every((size) => size === 3), 'no worker has an old copy');
  });

  test('that is killed during a lookup loses only that lookup', async () => {
    sandbox.campaign({ id: '2', size: 3, newestMs });
    sendgate = await startProcess(env);
    await pageOf(sendgate.url, '/campaigns/2/sends');
    sandbox.fault({ kind: 'latency', ms: 300, path: '/v3/emails/' });
    const asked = fetch(`${sendgate.url}/campaigns/${ids.campaign}/sends`).catch(() => {});
    await until(() => lookups().length === 2, 'the campaign is being looked up');
    sendgate.child.kill('SIGKILL');
    await asked;
    const kept = JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8'));
    expect(kept).toMatchObject({ calls: sandbox.callCount, ids: [expect.anything(), expect.anything()] });
    sandbox.heal();
    sandbox.forget();
    sendgate = await startProcess(env);
    for (const id of ['2', activityIdOf('2'), campaignIdOf('2')])
      expect((await pageOf(sendgate.url, `/campaigns/${id}/sends`)).results).toHaveLength(3);
    expect(lookups()).toEqual([]);
    await walk([sendgate.url], ids.campaign);
    expect(lookups()).toEqual([`/v3/emails/${ids.campaign}`]);
  });
});
