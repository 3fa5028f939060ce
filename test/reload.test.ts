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
import { api, type Environment, type Harness, start, targetOf } from './support/harness.ts';

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
