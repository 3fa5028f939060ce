/**
 * The configuration is edited while Sendgate runs.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { FakeClock } from './support/clock.ts';
import { as, type Edited, type Settings, startEdited, team } from './support/edited.ts';
import { type Environment, until } from './support/harness.ts';

let it: Edited;
let clock: FakeClock;

async function up(settings: Settings, env: Environment = {}) {
  clock = new FakeClock(Date.parse('2026-03-03T00:00:00Z'));
  it = await startEdited(settings, clock, env);
}
afterEach(() => it.close());

describe('a team', () => {
  test('that is added has its share from the next request, and the counts stay', async () => {
    await up({ quota: { perDay: 90 }, teams: [team('web')] });
    for (const limit of [1, 2, 3]) await it.ask(as('web'), `/campaigns/1/sends?limit=${limit}`);
    it.reload({ quota: { perDay: 90 }, teams: [team('web'), team('bi')] });
    await it.ask(as('bi'), '/campaigns/2/sends');
    expect(it.teams()).toMatchObject({
      web: { calls: 3, part: 30 },
      bi: { calls: 1, part: 30 },
      default: { calls: 0 },
    });
    expect(it.service.status().upstream).toMatchObject({ callsToday: 4, leftToday: 86 });
    expect(it.eventsOf('config.reloaded')).toMatchObject([
      { changed: ['teams'], teams: { added: ['bi'], changed: [], removed: [], moved: [] } },
    ]);
  });

  test('that changes keeps its calls', async () => {
    await up({ quota: { perDay: 90 }, teams: [team('web'), team('bi')] });
    await it.ask(as('web'));
    it.reload({ quota: { perDay: 90 }, teams: [team('web', { weight: 7 }), team('bi')] });
    expect(it.teams()).toMatchObject({ web: { calls: 1, part: 70 }, bi: { calls: 0, part: 10 } });
    expect(it.eventsOf('config.reloaded')).toMatchObject([{ teams: { added: [], changed: ['web'], removed: [] } }]);
  });

  test('that is removed leaves its calls in the day, and its callers belong to the default team', async () => {
    await up({ teams: [team('web'), team('bi')] });
    await it.ask(as('web'));
    it.reload({ teams: [team('bi')] });
    expect((await it.ask(as('web'), '/campaigns/2/sends')).status).toBe(200);
    expect(it.teams()).toMatchObject({ web: { calls: 1, part: 0 }, default: { calls: 1 } });
    expect(it.service.status().upstream.callsToday).toBe(2);
  });

  test('that is moved to another place among those that stay is named: the first that matches wins', async () => {
    await up({ teams: [team('old'), team('web'), team('bi'), team('jobs')] });
    it.reload({ teams: [team('new'), team('bi'), team('web'), team('jobs')] });
    expect(it.eventsOf('config.reloaded')).toMatchObject([
      { changed: ['teams'], teams: { added: ['new'], changed: [], removed: ['old'], moved: ['bi', 'web'] } },
    ]);
  });

  test('that comes to have a token of another one is a warning, once', async () => {
    await up({ teams: [team('web')] });
    const teams = [team('web'), team('bi', { tokensSha256: team('web').tokensSha256 })];
    for (const perDay of [90, 80]) it.reload({ teams, quota: { perDay } });
    expect(it.eventsOf('config.warning')).toMatchObject([
      { warning: expect.stringContaining('teams.1.tokensSha256.0') },
    ]);
  });

  test('that gets the first tokens makes responses vary by them, prepared ones too', async () => {
    await up({});
    expect((await it.ask()).headers['vary']).not.toContain('Authorization');
    it.reload({ teams: [team('web')] });
    expect((await it.ask()).headers['vary']).toContain('Authorization');
    expect((await it.ask({}, '/campaigns/1/nothing')).headers['vary']).toContain('Authorization');
  });
});

describe('what is counted or waits', () => {
  test('a client that has used up a lower limit is refused, and one with a higher limit goes on', async () => {
    await up({ callers: { requestsPerMinute: 5 } });
    for (let n = 0; n < 3; n++) await it.ask();
    it.reload({ callers: { requestsPerMinute: 3 } });
    const refused = await it.ask();
    expect(refused.status).toBe(429);
    expect(refused.headers['ratelimit-policy']).toContain('q=3;');
    it.reload({ callers: { requestsPerMinute: 10 } });
    const admitted = await it.ask();
    expect(admitted.status).toBe(200);
    expect(admitted.headers['ratelimit']).toContain('r=6;');
    expect(admitted.headers['ratelimit-policy']).toContain('q=10;');
  });

  test('queued requests are served, those of a removed team too', async () => {
    await up({ quota: { perSecond: 1 }, teams: [team('web'), team('bi')] });
    const targets = [1, 2, 3, 4].map((limit) => `/campaigns/1/sends?limit=${limit}`);
    const asked = targets.map((target, n) => it.ask(as(n === 2 ? 'bi' : 'web'), target));
    await until(() => it.waiting() === 3, 'three are queued');
    it.reload({ quota: { perSecond: 2, maxQueue: 1, maxWaitMs: 0 }, teams: [team('bi')] });
    expect(it.waiting()).toBe(2);
    const answers = await clock.passUntil(Promise.all(asked));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(it.teams()).toMatchObject({ web: { calls: 3, part: 0 }, bi: { calls: 1 } });
  });

  test('a download of a removed team is completed, with the calls for its further pages', async () => {
    await up({ quota: { perSecond: 1 }, teams: [team('web')] });
    it.sandbox.campaign({ id: '4', size: 2_000, newestMs: clock.now() });
    const download = it.get('/campaigns/4/sends.ndjson', as('web')).then((answer) => answer.text());
    await until(() => it.waiting() === 1, 'the second page is queued');
    it.reload({ quota: { perSecond: 1 }, teams: [] });
    const rows = (await clock.passUntil(download)).trim().split('\n');
    expect(rows).toHaveLength(2_000);
    expect(it.teams()).toMatchObject({ web: { calls: 4, part: 0 } });
  });

  test('cached pages stay while the bound of the cache shrinks and grows', async () => {
    await up({});
    await it.ask();
    for (const maxBytes of [1_048_576, 300_000_000]) {
      it.reload({ cache: { maxBytes } });
      expect((await it.ask()).headers['cache-status']).toContain('hit');
    }
    expect(it.sandbox.callCount).toBe(1);
  });
});

describe('a file', () => {
  const headerTeam = (name: string) => ({ name, header: { name: 'X-Team', value: name } });
  const metric = async (name: string) => {
    const text = await it.service.metrics.registry.metrics();
    return Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (.*)$`, 'm').exec(text)?.[1]);
  };

  test('with mistakes changes nothing, and the log says every mistake without a value', async () => {
    await up({ teams: [team('web')], log: { level: 'info' } });
    const secret = 'header-5ecret';
    const digest = 'd1'.repeat(31);
    it.reload({
      teams: [
        { name: 'bi', header: { name: 'X Team', value: secret } },
        { name: 'jobs', tokensSha256: [digest] },
      ],
      log: { level: 'loud' },
      quota: { perDay: 50, perHour: 7 },
    });
    const [{ mistakes }] = it.eventsOf('config.invalid') as [{ mistakes: string[] }];
    for (const part of ['teams.0.header.name', 'teams.1.tokensSha256.0', 'log.level', 'quota.perHour']) {
      expect(mistakes).toContainEqual(expect.stringContaining(part));
    }
    expect(it.service.status().upstream.leftToday).toBe(10_000);
    expect(Object.keys(it.teams())).toContain('web');
    expect(it.lines.join('')).not.toMatch(new RegExp(`${secret}|${digest}`));
    expect(await metric('sendgate_config_last_reload_successful')).toBe(0);
    expect(await metric('sendgate_config_reloads_total{outcome="invalid"}')).toBe(1);

    it.reload({ teams: [team('bi')] });
    expect(await metric('sendgate_config_last_reload_successful')).toBe(1);
    expect(await metric('sendgate_config_reloads_total{outcome="reloaded"}')).toBe(1);
  });

  test('that has no mistakes any more is said so, whatever else it changes', async () => {
    await up({});
    it.reload({ log: { level: 'loud' } });
    it.reload({ server: { basePath: '/x' } });
    expect(it.eventsOf('config.mended')).toHaveLength(1);
    expect(await metric('sendgate_config_last_reload_successful')).toBe(1);
    it.reload({});
    expect(it.eventsOf('config.mended')).toHaveLength(1);
  });

  test.each([
    ['info', 'warn'],
    ['warn', 'info'],
    ['error', 'warn'],
  ])('from log.level %s to %s is confirmed in the log', async (from, to) => {
    await up({ log: { level: from } });
    it.reload({ log: { level: to } });
    expect(it.eventsOf('config.reloaded')).toMatchObject([{ changed: ['log.level'] }]);
    it.reload({ log: { level: to }, quota: { perDay: 70 } });
    expect(it.eventsOf('config.reloaded')).toHaveLength(to === 'info' ? 2 : 1);
  });

  test('that is reloaded never has its tokens and header values in the log', async () => {
    await up({ server: { trustProxy: ['10.0.0.1'] } });
    const web = team('web', { header: { name: 'X-Team', value: 'header-5ecret' } });
    it.reload({ server: { trustProxy: ['10.0.0.1'] }, teams: [web] });
    expect(it.eventsOf('config.reloaded')).toHaveLength(1);
    expect(it.lines.join('')).not.toMatch(/header-5ecret|[0-9a-f]{64}/);
  });

  test('that changed nothing is reported as unchanged, and so is a setting that a variable overrides', async () => {
    await up({ quota: { perDay: 100 } }, { SENDGATE_LOG_LEVEL: 'info' });
    it.service.reload();
    it.reload({ quota: { perDay: 100 }, log: { level: 'error' } });
    expect(it.eventsOf('config.unchanged')).toHaveLength(2);
    expect(it.eventsOf('config.reloaded')).toHaveLength(0);
  });

  test('with settings that need a restart applies the others, and names them every time', async () => {
    await up({});
    const changed = { server: { basePath: '/x', workers: 3 }, constantContact: { retries: 5 }, quota: { perDay: 70 } };
    it.reload(changed);
    it.service.reload();
    const settings = ['server.basePath', 'server.workers', 'constantContact.retries'];
    const told = it.eventsOf('config.needs_restart');
    expect(told).toHaveLength(2);
    for (const event of told) expect(event['settings']).toEqual(expect.arrayContaining(settings));
    expect(it.service.status().upstream.leftToday).toBe(70);
    expect(it.eventsOf('config.unchanged')).toHaveLength(0);
  });

  test.each<[string, Settings, Settings, readonly string[]]>([
    [
      'a header of a team, without a trusted proxy yet',
      {},
      { server: { trustProxy: ['127.0.0.1'] }, callers: { required: true }, teams: [headerTeam('bi')] },
      ['server.trustProxy', 'teams.0', 'callers.required'],
    ],
    [
      'the team of callers who would be refused without it',
      { teams: [team('web')] },
      { server: { trustProxy: ['::1'] }, callers: { required: true }, teams: [team('web'), headerTeam('bi')] },
      ['server.trustProxy', 'teams.1', 'callers.required'],
    ],
    [
      'all teams, where required callers would have none without it',
      { callers: { required: true }, teams: [{ name: 'web', networks: ['127.0.0.0/8'] }] },
      { server: { trustProxy: ['::1'] }, callers: { required: true }, teams: [headerTeam('bi')] },
      ['server.trustProxy', 'teams'],
    ],
    [
      'no more allowed hosts, while every host reaches the listener',
      { server: { host: '0.0.0.0', allowedHosts: ['x.example'] } },
      { server: { host: '127.0.0.1' } },
      ['server.host', 'server.allowedHosts'],
    ],
  ])('keeps what depends on a restart for it, and applies the rest: %s', async (_, before, after, waiting) => {
    await up(before);
    it.reload({ ...after, quota: { perDay: 77 } });
    expect(it.eventsOf('config.invalid')).toEqual([]);
    expect(it.eventsOf('config.reloaded')).toMatchObject([{ changed: ['quota.perDay'] }]);
    const [{ settings }] = it.eventsOf('config.needs_restart') as [{ settings: string[] }];
    expect(settings.toSorted()).toEqual(waiting.toSorted());
    expect(await metric('sendgate_config_last_reload_successful')).toBe(1);
    expect(await metric('sendgate_config_reloads_total{outcome="needs_restart"}')).toBe(1);
    expect((await it.ask({ host: 'localhost' })).status).toBe(200);
    expect((await it.ask({ host: 'evil.example' })).status).toBe(421);
    expect(it.service.status().upstream.leftToday).toBeLessThan(77);
    it.reload(before);
    expect(it.eventsOf('config.needs_restart')).toHaveLength(1);
  });

  test('that adds a header without a trusted proxy yet applies to all other teams, a withdrawn token at once', async () => {
    const network = { name: 'sso', networks: ['10.0.0.0/8'] };
    await up({ quota: { perDay: 90 }, teams: [team('web'), network, team('jobs')] });
    const asked = { server: { trustProxy: ['::1'] }, quota: { perDay: 90 } };
    const sso = { name: 'sso', header: { name: 'X-Team', value: 'sso' } };
    it.reload({ ...asked, teams: [team('new'), team('web', { weight: 5 }), sso, headerTeam('bi')] });
    expect(it.eventsOf('config.reloaded')).toMatchObject([
      { changed: ['teams'], teams: { added: ['new'], changed: ['web'], removed: ['jobs'], moved: [] } },
    ]);
    expect(it.eventsOf('config.needs_restart')).toMatchObject([
      { settings: ['server.trustProxy', 'teams.2', 'teams.3'] },
    ]);
    await it.ask(as('jobs'));
    expect(it.teams()).toMatchObject({ default: { calls: 1 }, web: { part: 56 } });
    expect(it.teams()).not.toHaveProperty('bi');
    it.service.reload();
    expect(it.eventsOf('config.reloaded')).toHaveLength(1);
    expect(it.eventsOf('config.needs_restart')).toHaveLength(2);
  });

  test('is judged by itself: it has mistakes, though what it changes would fit what is in use', async () => {
    await up({ server: { trustProxy: ['10.0.0.1'] }, teams: [team('web')] });
    it.reload({ teams: [headerTeam('bi')] });
    expect(it.eventsOf('config.invalid')).toHaveLength(1);
    it.reload({ server: { trustProxy: ['10.0.0.2'] }, teams: [headerTeam('bi')] });
    expect(it.eventsOf('config.reloaded')).toMatchObject([{ changed: ['teams'] }]);
  });
});
