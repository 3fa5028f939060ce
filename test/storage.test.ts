/**
 * With `storage.directory`, a restart costs nothing.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { campaignIdOf } from '../src/sandbox/v3.ts';
import { ForwardClock } from './support/clock.ts';
import {
  api,
  type Environment,
  type Harness,
  idOf,
  type PageJson,
  startInstance,
  startSandbox,
  until,
} from './support/harness.ts';

const daySeconds = 86_400;
const isV3 = api === 'v3';
/** Every id by which callers may ask for the campaign. */
const ids = isV3 ? ['1', idOf('1'), campaignIdOf('1')] : ['1'];

let folder: string;
let sandbox: Sandbox;
let clock: ForwardClock;
let it: Harness;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sendgate-storage-'));
  clock = new ForwardClock();
  sandbox = await startSandbox({ clock });
  for (const id of ['1', '2']) sandbox.campaign({ id, size: 30, newestMs: clock.now() - 50 * daySeconds * 1000 });
  it = await run();
});
afterEach(async () => {
  await it.close();
  await sandbox.stop();
});

const run = (env: Environment = {}) =>
  startInstance(sandbox, clock, {
    SENDGATE_STORAGE_DIRECTORY: join(folder, 'storage'),
    CONSTANT_CONTACT_TOKEN_FILE: join(folder, 'tokens.json'),
    SENDGATE_CACHE_READ_AHEAD_PAGES: '0',
    ...env,
  });

async function restart(env: Environment = {}): Promise<void> {
  await it.close();
  it = await run(env);
  sandbox.forget();
}

/** Status and body, but for the second of the counts: a restart can move that by a millisecond, and so into the next. */
async function ask(target: string): Promise<readonly [number, string]> {
  const answer = await fetch(`${it.url}${target}`);
  const body = await answer.text();
  return [answer.status, body.replace(/"as_of":"[^"]+"/, '"as_of":"…"')];
}

const nextOf = ([, body]: readonly [number, string]) => (JSON.parse(body) as PageJson).meta.pagination.next_link ?? '';

/** One page of everything that callers may ask for, and all pages of a walk. */
async function askForEverything(): Promise<Map<string, readonly [number, string]>> {
  const reports = ['opens', 'clicks', 'bounces', 'forwards', 'unsubscribes', 'summary', 'links'];
  const targets = [
    ...['/campaigns', '/campaigns?status=SENT', '/campaigns/2/sends?created_since=2020-01-01'],
    ...ids.flatMap((id) => ['', ...reports.map((name) => `/${name}`)].map((name) => `/campaigns/${id}${name}`)),
  ];
  const answers = new Map<string, readonly [number, string]>();
  for (const target of targets) answers.set(target, await ask(target));
  for (let target = `/campaigns/${ids[0]}/sends?limit=10`; target !== ''; ) {
    const answer = await ask(target);
    answers.set(target, answer);
    target = nextOf(answer);
  }
  return answers;
}

describe('After a restart,', () => {
  test('everything that was held is served without a call, byte for byte', async () => {
    const before = await askForEverything();
    expect([...before.values()].map(([status]) => status)).toEqual([...before].map(() => 200));
    await restart();
    expect(await askForEverything()).toEqual(before);
    expect(sandbox.callCount).toBe(0);
  });

  test('everything that was held is served while Constant Contact is down, two days later, too', async () => {
    const before = await askForEverything();
    await it.close();
    await sandbox.stop();
    clock.forward(2 * daySeconds);
    it = await run();
    expect(await askForEverything()).toEqual(before);
    const stale = await fetch(`${it.url}/campaigns/${ids[0]}/sends?limit=10`);
    expect(stale.headers.get('cache-status')).toMatch(/ttl=-\d+; detail=stale/);
    expect(Number(stale.headers.get('age'))).toBeGreaterThan(2 * daySeconds - 60);
  });

  test('no page is served that was held for longer than it may be', async () => {
    await it.get('/campaigns/1/sends');
    await it.close();
    await sandbox.stop();
    clock.forward(20 * daySeconds);
    it = await run();
    expect((await it.get('/campaigns/1/sends')).status).toBe(502);
  });

  test('a stale page is served at once, and refreshed behind it', async () => {
    await it.get('/campaigns/1/sends');
    clock.forward(2 * daySeconds);
    await restart();
    sandbox.addSends('1', 1);
    expect((await it.page('/campaigns/1/sends')).results).toHaveLength(30);
    await until(async () => (await it.page('/campaigns/1/sends')).results.length === 31, 'it is refreshed');
  });

  test('a refusal is remembered, and not for longer than its time', async () => {
    expect((await it.get('/campaigns/77/sends')).status).toBe(404);
    clock.forward(30);
    await restart();
    expect((await it.get('/campaigns/77/sends')).status).toBe(404);
    expect(sandbox.callCount).toBe(0);
    sandbox.campaign({ id: '77', size: 3, newestMs: clock.now() });
    clock.forward(61);
    expect((await it.get('/campaigns/77/sends')).status).toBe(200);
  });

  test("the day's calls and each team's are counted on", async () => {
    for (const id of ['1', '2']) await it.get(`/campaigns/${id}/sends`);
    const counts = () => {
      const { upstream, teams } = it.service.status();
      return [upstream.callsToday, ...teams.map(({ team, calls }) => `${team}: ${calls}`)];
    };
    const before = counts();
    expect(before[0]).toBeGreaterThan(1);
    await restart();
    expect(counts()).toEqual(before);
  });

  test('an unchanged first page keeps the later pages, and one that has changed does not', async () => {
    const first = '/campaigns/1/sends?limit=10';
    const next = nextOf([200, await (await it.get(first)).text()]);
    const later = async () => (await fetch(`${it.url}${next}`)).headers.get('cache-status');
    await later();
    await restart();
    clock.forward(61);
    await it.get(first, { 'Cache-Control': 'no-cache' });
    expect(sandbox.callCount).toBe(1);
    expect(await later()).toMatch(/; hit;/);

    await restart();
    clock.forward(61);
    sandbox.addSends('1', 1);
    await it.get(first, { 'Cache-Control': 'no-cache' });
    expect(await later()).toMatch(/; fwd=/);
    await restart();
    expect(await later()).toMatch(/; hit;/);
    expect(sandbox.callCount).toBe(0);
  });

  test('another limit of a walk that is held does not cost the pages that are', async () => {
    await it.get('/campaigns/1/sends?limit=10');
    await restart();
    await it.get('/campaigns/1/sends?limit=20');
    expect((await it.get('/campaigns/1/sends?limit=10')).headers.get('cache-status')).toMatch(/; hit;/);
    expect(sandbox.callCount).toBe(1);
  });
});
