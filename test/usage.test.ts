/**
 * `GET /usage`: what each team costs and gets, today and yesterday.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { usageCsv } from '../src/app/usage.ts';
import { Events } from '../src/events.ts';
import { type DayUsage, usagePart } from '../src/observability/stored-usage.ts';
import type { Tallied } from '../src/observability/tally.ts';
import { Usage } from '../src/observability/usage.ts';
import { account, type TeamShare } from '../src/quota/day-shares.ts';
import { Demand } from '../src/quota/demand.ts';
import { Quota } from '../src/quota/quota.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { FakeClock, ForwardClock, type TestClock } from './support/clock.ts';
import { type Environment, type Harness, startInstance, startSandbox, until } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-usage-'));

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close; close = closers.pop()) await close();
});

const team = (name: string, about: object = {}) => ({ name, header: { name: 'X-Team', value: name }, ...about });
const teamsEnv = (...teams: object[]) => ({
  SENDGATE_TEAMS: JSON.stringify(teams),
  SENDGATE_SERVER_TRUST_PROXY: 'loopback',
});

const noon = Date.parse('2026-06-15T12:00:00Z');
const day = 86_400_000;

async function sandboxAt(clock: TestClock): Promise<Sandbox> {
  const sandbox = await startSandbox({ clock });
  closers.push(() => sandbox.stop());
  for (const id of ['1', '2']) sandbox.campaign({ id, size: 3, newestMs: clock.now() - 3_600_000 });
  return sandbox;
}

async function up(sandbox: Sandbox, clock: TestClock, env: Environment): Promise<Harness> {
  const it = await startInstance(sandbox, clock, env);
  let isUp = true;
  const close = async () => {
    if (isUp) await it.close();
    isUp = false;
  };
  closers.push(close);
  return { ...it, close };
}

const manage = ({ service }: Harness, target: string) => fetch(`${service.managementUrl}${target}`);
const usage = async (it: Harness) =>
  (await (await manage(it, '/usage')).json()) as { instances: number; days: DayUsage[] };
const today = async (it: Harness) => (await usage(it)).days[0];

/** Requests in turn, and waits until they are counted. */
async function ask(it: Harness, name: string | undefined, targets: readonly string[]): Promise<number[]> {
  const isLine = (line: string) => line.includes('"method"');
  const before = it.lines.filter(isLine).length;
  const statuses: number[] = [];
  for (const target of targets) {
    const answer = await it.get(target, name === undefined ? {} : { 'X-Team': name });
    await answer.arrayBuffer();
    statuses.push(answer.status);
  }
  await until(() => it.lines.filter(isLine).length === before + targets.length, 'all are counted');
  return statuses;
}

const none = { calls: 0, answered: 0, hits: 0, refused: 0, failed: 0 };
const [sends, opens] = ['/campaigns/1/sends', '/campaigns/1/opens'];

describe('usage by team and report', () => {
  const env = teamsEnv(team('web', { requestsPerMinute: 5, callsPerDay: 2_000 }), team('bi', { weight: 2 }));

  test('has calls, requests answered, hits, refusals and failures, the part and the cap', async () => {
    const clock = new FakeClock(noon);
    const it = await up(await sandboxAt(clock), clock, env);
    expect(await ask(it, 'web', [sends, sends, opens, '/campaigns/404/sends', `${sends}?limit=0`, sends])).toEqual([
      ...[200, 200, 200, 404, 400, 429],
    ]);
    await ask(it, 'bi', [sends, '/docs', '/status', '/nothing']);
    expect(await usage(it)).toEqual({
      instances: 1,
      days: [
        {
          day: '2026-06-15',
          perDay: 10_000,
          teams: [
            {
              ...{ team: 'web', calls: 3, part: 2_000, cap: 2_000 },
              reports: [
                { ...none, report: '(none)', refused: 1 },
                { ...none, report: 'opens', calls: 1, answered: 1 },
                { ...none, report: 'sends', calls: 2, answered: 2, hits: 1, failed: 2 },
              ],
            },
            {
              ...{ team: 'bi', calls: 0, part: 5_000, cap: null },
              reports: [{ ...none, report: 'sends', answered: 1, hits: 1 }],
            },
            { team: 'default', calls: 0, part: 2_500, cap: null, reports: [] },
          ],
        },
      ],
    });
  });

  test('is there as CSV, with a row for each team and report', async () => {
    const clock = new FakeClock(noon);
    const it = await up(await sandboxAt(clock), clock, env);
    await ask(it, 'bi', [sends, opens, sends]);
    const answer = await manage(it, '/usage.csv');
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
    expect((await answer.text()).split('\r\n')).toEqual([
      'day,team,report,calls,answered,hits,refused,failed,team_calls,team_part,team_cap',
      '2026-06-15,web,,0,0,0,0,0,0,2000,2000',
      '2026-06-15,bi,opens,1,1,0,0,0,2,5000,',
      '2026-06-15,bi,sends,1,2,1,0,0,2,5000,',
      '2026-06-15,default,,0,0,0,0,0,0,2500,',
      '',
    ]);
  });

  test('counts probes for the account', async () => {
    const clock = new FakeClock(noon);
    const it = await up(await sandboxAt(clock), clock, { ...env, SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
    it.sandbox.fault({ kind: 'status', status: 403, times: 2 });
    expect(await ask(it, 'bi', [sends])).toEqual([502]);
    const teams = (await today(it))?.teams;
    expect(teams?.find((one) => one.team === '(account)')).toEqual({
      ...{ team: '(account)', calls: 1, part: 0, cap: null },
      reports: [{ ...none, report: 'probe', calls: 1 }],
    });
  });

  test('is counted in metrics, too: calls and their waits by report and team', async () => {
    const clock = new FakeClock(noon);
    const it = await up(await sandboxAt(clock), clock, { ...env, SENDGATE_QUOTA_PER_SECOND: '1' });
    const both = ask(it, 'bi', [sends]).then(() => ask(it, 'bi', [opens]));
    await clock.passUntil(both);
    const text = await (await manage(it, '/metrics')).text();
    expect(text).toContain('sendgate_upstream_calls_total{report="opens",outcome="ok",team="bi"} 1');
    const waits = /^sendgate_upstream_call_wait_seconds_total\{report="opens",team="bi"\} (.*)$/m;
    expect(Number(waits.exec(text)?.[1])).toBeGreaterThan(0.5);
    expect(text).toContain(`sendgate_build_info{version="test",node="${process.versions.node}"} 1`);
  });
});

describe('a restart', () => {
  const file = () => join(folder, `state-${closers.length}-${Math.random()}.json`);

  test("keeps the day's counts, also those of a team that is no longer configured", async () => {
    const clock = new FakeClock(noon);
    const sandbox = await sandboxAt(clock);
    const kept = { SENDGATE_QUOTA_STATE_FILE: file() };
    const first = await up(sandbox, clock, { ...kept, ...teamsEnv(team('web'), team('bi')) });
    await ask(first, 'web', [sends, sends]);
    await ask(first, 'bi', [opens]);
    await first.close();
    const second = await up(sandbox, clock, { ...kept, ...teamsEnv(team('bi')) });
    await ask(second, 'bi', [opens]);
    expect((await today(second))?.teams).toEqual([
      {
        ...{ team: 'bi', calls: 2, part: 5_000, cap: null },
        reports: [{ ...none, report: 'opens', calls: 2, answered: 2 }],
      },
      { team: 'default', calls: 0, part: 5_000, cap: null, reports: [] },
      {
        ...{ team: 'web', calls: 1, part: 0, cap: null },
        reports: [{ ...none, report: 'sends', calls: 1, answered: 2, hits: 1 }],
      },
    ]);
  });

  test('a day later, the day before is yesterday, and another day later it is forgotten', async () => {
    const clock = new FakeClock(noon);
    const sandbox = await sandboxAt(clock);
    const env = { SENDGATE_QUOTA_STATE_FILE: file(), ...teamsEnv(team('web')) };
    const first = await up(sandbox, clock, env);
    await ask(first, 'web', [sends]);
    const before = await today(first);
    await first.close();
    const [dayAfter, twoAfter] = await Promise.all(
      [day, 2 * day].map(async (later) => {
        const it = await up(sandbox, new FakeClock(noon + later), env);
        return (await usage(it)).days.slice(1);
      }),
    );
    expect([dayAfter, twoAfter]).toEqual([[before], []]);
  });

  test('with a file that has none, or another form of it, counts from zero', async () => {
    const path = file();
    for (const content of ['{}', '{"usage":[{"day":"2026-06-15"}]}', '{"usage":7}']) {
      writeFileSync(path, content);
      const clock = new FakeClock(noon);
      const it = await up(await sandboxAt(clock), clock, { SENDGATE_QUOTA_STATE_FILE: path });
      await ask(it, undefined, [sends]);
      expect((await today(it))?.teams).toEqual([
        {
          ...{ team: 'default', calls: 1, part: 10_000, cap: null },
          reports: [{ ...none, report: 'sends', calls: 1, answered: 1 }],
        },
      ]);
      await it.close();
      expect(usagePart.parse(JSON.parse(readFileSync(path, 'utf8')))).toHaveLength(1);
      expect(it.lines.join('')).not.toContain('state.unreadable');
    }
  });

  test('reads what a later version has added', () => {
    const report = { ...none, report: 'sends', calls: 1, later: 1 };
    const stored = {
      day: '2026-06-15',
      perDay: 10,
      later: {},
      teams: [{ team: 'web', calls: 1, part: 1, cap: null, reports: [report] }],
    };
    const { later: _, ...known } = report;
    expect(usagePart.parse({ usage: [stored] })[0]?.teams[0]?.reports).toEqual([known]);
  });
});

describe('at midnight UTC', () => {
  /** A quota and usage without HTTP: a clock that only the test moves. */
  function counted(clock: FakeClock) {
    const teams = new Map<string, TeamShare>([['web', { weight: 1 }]]);
    const events = { waited: () => {}, passed: () => {}, teamSpent: () => {}, teamRefused: () => {} };
    const quota = new Quota(
      { clock, teams, events },
      { ...{ perSecond: 4, perDay: 100, reserve: 0 }, maxWaitMs: 8_000, maxQueue: 10 },
    );
    const responses: { count: number }[] = [];
    const served: Omit<Tallied, 'count'> = {
      route: '/',
      report: 'sends',
      team: 'web',
      cache: 'fresh',
      status: 200,
      seconds: 0,
      byLatency: [],
    };
    const emitter = new Events();
    const kept: (readonly DayUsage[])[] = [];
    const read = () => responses.map(({ count }) => ({ ...served, count }));
    const parts = {
      clock,
      quota,
      responses: read,
      kept: { stored: undefined, keep: async (value: readonly DayUsage[]) => void kept.push(value) },
    };
    const usage = new Usage(parts, emitter);
    usage.start();
    closers.push(() => usage.close());
    return {
      ...{ usage, kept },
      serve: (count: number) => responses.push({ count }),
      call: async (name: string) => {
        (await quota.take(new Demand(name, 'interactive'), 8_000)).done(true);
        const call = { outcome: 'ok', seconds: 1, waitedSeconds: 0 };
        emitter.emit('upstream.called', {
          ...call,
          team: name || '(account)',
          report: name === account ? 'probe' : 'sends',
        });
      },
    };
  }
  const brief = (days: readonly DayUsage[]) =>
    days.map(({ day, teams }) => [
      day,
      ...teams.map(({ team, calls, reports }) => [team, calls, ...reports.map(({ answered }) => answered)]),
    ]);

  test('a new day begins, though no call is made and nobody looks', async () => {
    const clock = new FakeClock(Date.parse('2026-06-15T23:59:57Z'));
    const { usage, serve, call } = counted(clock);
    await call('web');
    await call(account);
    serve(5);
    await clock.pass(3_000);
    serve(2);
    expect(brief(usage.read())).toEqual([
      ['2026-06-16', ['web', 0, 2]],
      ['2026-06-15', ['web', 1, 5], ['(account)', 1, 0]],
    ]);
    clock.stepWall(-60_000); // A clock set back does not bring yesterday back.
    serve(1);
    expect(brief(usage.read())[0]).toEqual(['2026-06-16', ['web', 0, 3]]);
    clock.stepWall(60_000);
  });

  test('of a day that the process slept through, nothing is yesterday', async () => {
    const clock = new FakeClock(noon);
    const { usage, serve } = counted(clock);
    serve(5);
    clock.stepWall(2 * day);
    expect(brief(usage.read())).toEqual([['2026-06-17', ['web', 0]]]);
  });

  test('of a clock that is ten years off for a moment, all that is counted is of today', async () => {
    const clock = new FakeClock(noon);
    const { usage, serve, call } = counted(clock);
    for (const ms of [3_652 * day, -3_652 * day, -3_652 * day, 3_652 * day]) {
      await call('web');
      serve(5);
      usage.read();
      clock.stepWall(ms);
    }
    expect(brief(usage.read())).toEqual([['2026-06-15', ['web', 4, 20]]]);
  });

  test('counts are stored every ten seconds, if they have changed', async () => {
    const clock = new FakeClock(noon);
    const { kept, serve } = counted(clock);
    await clock.pass(30_000);
    expect(kept.map(brief)).toEqual([[['2026-06-15', ['web', 0]]]]);
    serve(1);
    await clock.pass(10_000);
    expect(kept.length).toBe(2);
  });
});

test('with Redis, calls of a team are those of all instances, and requests those of each', async () => {
  const redis = await RedisServer.start();
  closers.push(() => redis.stop());
  const clock = new ForwardClock();
  clock.stepWall(noon - clock.now());
  const sandbox = await sandboxAt(clock);
  const env = { REDIS_URL: redis.url, SENDGATE_REDIS_TIMEOUT_MS: '2000', ...teamsEnv(team('web')) };
  const [one, other] = [await up(sandbox, clock, env), await up(sandbox, clock, env)];
  await ask(one, 'web', [sends, sends]);
  await ask(other, 'web', [opens]);
  expect((await usage(other)).instances).toBe(2);
  expect((await today(other))?.teams[0]).toEqual({
    ...{ team: 'web', calls: 2, part: 5_000, cap: null },
    reports: [{ ...none, report: 'opens', calls: 1, answered: 1 }],
  });
});

test('CSV has no formula', () => {
  const reports = [{ ...none, report: '=1' }];
  const days = [{ day: '2026-06-15', perDay: 1, teams: [{ team: '@a', calls: 0, part: 0, cap: null, reports }] }];
  expect(usageCsv(days)).toContain("2026-06-15,'@a,'=1,0");
});
