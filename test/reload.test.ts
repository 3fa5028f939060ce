/**
 * The configuration is edited while Sendgate runs.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { FakeClock, type TestClock } from './support/clock.ts';
import { api, type Environment, type Harness, start, targetOf, until } from './support/harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-reload-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'sendgate.json');

interface Settings {
  readonly [section: string]: unknown;
}
const edit = (settings: Settings) => writeFileSync(file, JSON.stringify(settings));

/** A team that is recognised by a token, which is its name. */
const team = (name: string, more: Settings = {}) => ({
  name,
  tokensSha256: [createHash('sha256').update(`token-of-${name}`).digest('hex')],
  ...more,
});
const as = (name: string) => ({ authorization: `Bearer token-of-${name}` });

let it: Harness;
let clock: TestClock;

async function up(settings: Settings, env: Environment = {}) {
  edit(settings);
  clock = new FakeClock(Date.parse('2026-03-03T06:00:00Z'));
  const roomyToo = { SENDGATE_QUOTA_PER_SECOND: '', SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '' };
  it = await start({ SENDGATE_CONFIG: file, ...roomyToo, ...env }, {}, api, clock);
  for (const id of ['1', '2', '3']) it.sandbox.campaign({ id, size: 3, newestMs: clock.now() - 1_000 });
}
afterEach(() => it.close());

function reload(settings: Settings) {
  edit(settings);
  it.service.reload();
}

const eventsOf = (event: string) =>
  it.lines.filter((line) => line.includes(`"event":"${event}"`)).map((line) => JSON.parse(line));
const lastOf = (event: string) => eventsOf(event).at(-1);
const waiting = () => Number(it.service.status().queues.reduce((sum, { waiting }) => sum + waiting, 0));
const teams = () => Object.fromEntries(it.service.status().teams.map(({ team, ...day }) => [team, day]));

/** fetch sets Host and Origin itself, so this is done by hand. */
function ask(headers: Record<string, string> = {}, target = '/campaigns/1/sends') {
  return new Promise<{ status: number; headers: Record<string, string | undefined> }>((resolve, reject) => {
    const { hostname, port } = new URL(it.url);
    request({ hostname, port, path: targetOf(target), headers }, (res) => {
      res.resume().on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers as never }));
    })
      .on('error', reject)
      .end();
  });
}

describe('a team', () => {
  test('that is added has its share from the next request, and the counts stay', async () => {
    await up({ quota: { perDay: 90 }, teams: [team('web')] });
    for (const limit of [1, 2, 3]) await ask(as('web'), `/campaigns/1/sends?limit=${limit}`);
    reload({ quota: { perDay: 90 }, teams: [team('web'), team('bi')] });
    await ask(as('bi'), '/campaigns/2/sends');
    expect(teams()).toMatchObject({ web: { calls: 3, part: 30 }, bi: { calls: 1, part: 30 }, default: { calls: 0 } });
    expect(it.service.status().upstream).toMatchObject({ callsToday: 4, leftToday: 86 });
    expect(lastOf('config.reloaded')).toMatchObject({
      changed: ['teams'],
      teams: { added: ['bi'], changed: [], removed: [] },
    });
  });

  test('that is removed leaves its calls in the day, and its callers belong to the default team', async () => {
    await up({ teams: [team('web'), team('bi')] });
    await ask(as('web'));
    reload({ teams: [team('bi')] });
    expect((await ask(as('web'), '/campaigns/2/sends')).status).toBe(200);
    expect(teams()).toMatchObject({ web: { calls: 1, part: 0 }, default: { calls: 1 } });
    expect(it.service.status().upstream.callsToday).toBe(2);
  });
});

describe('what is counted or waits', () => {
  test('a client that has used up a lower limit is refused, and one with a higher limit goes on', async () => {
    await up({ callers: { requestsPerMinute: 5 } });
    for (let n = 0; n < 3; n++) await ask();
    reload({ callers: { requestsPerMinute: 3 } });
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(refused.headers['ratelimit-policy']).toContain('q=3;');
    reload({ callers: { requestsPerMinute: 10 } });
    const admitted = await ask();
    expect(admitted.status).toBe(200);
    expect(admitted.headers['ratelimit']).toContain('r=6;');
    expect(admitted.headers['ratelimit-policy']).toContain('q=10;');
  });

  test('queued requests are served, those of a removed team too', async () => {
    await up({ quota: { perSecond: 1 }, teams: [team('web'), team('bi')] });
    const asked = ['web', 'web', 'bi', 'web'].map((name, n) => ask(as(name), `/campaigns/1/sends?limit=${n + 1}`));
    await until(() => waiting() === 3, 'three are queued');
    reload({ quota: { perSecond: 2, maxQueue: 1, maxWaitMs: 0 }, teams: [team('bi')] });
    const answers = await (clock as FakeClock).passUntil(Promise.all(asked));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(teams()).toMatchObject({ web: { calls: 3, part: 0 }, bi: { calls: 1 } });
  });

  test('a download of a removed team is completed, with the calls for its further pages', async () => {
    await up({ quota: { perSecond: 1 }, teams: [team('web')] });
    it.sandbox.campaign({ id: '4', size: 2_000, newestMs: clock.now() });
    const download = it.get('/campaigns/4/sends.ndjson', as('web')).then((answer) => answer.text());
    await until(() => waiting() === 1, 'the second page is queued');
    reload({ quota: { perSecond: 1 }, teams: [] });
    const rows = (await (clock as FakeClock).passUntil(download)).trim().split('\n');
    expect(rows).toHaveLength(2_000);
    expect(teams()).toMatchObject({ web: { calls: 4, part: 0 } });
  });

  test('pages stay cached while the bound of the cache shrinks to what it holds, and grows', async () => {
    await up({});
    await ask();
    for (const maxBytes of [1_048_576, 300_000_000]) {
      reload({ cache: { maxBytes } });
      expect((await ask()).headers['cache-status']).toContain('hit');
    }
    expect(it.sandbox.callCount).toBe(1);
  });
});
