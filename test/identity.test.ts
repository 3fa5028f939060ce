/**
 * No call is charged before the caller is identified.
 */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import express from 'express';
import { systemClock } from '../src/clock.ts';
import { trackRequests } from '../src/http/request-context.ts';
import { PlainWriter } from '../src/http/response-writer.ts';
import { campaignIdRules } from '../src/model/campaign-ids.ts';
import { sendsReport } from '../src/model/sends.ts';
import { Tally } from '../src/observability/tally.ts';
import { Exports, exportPath } from '../src/reports/export/export-endpoint.ts';
import { ask } from './support/ask.ts';
import { type Environment, type Harness, start } from './support/harness.ts';
import { firstPage } from './support/queries.ts';
import { RedisServer } from './support/redis.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close; close = closers.pop()) await close();
});

test('a route mounted ahead of the guards fails, and makes no call', async () => {
  const observe = trackRequests({
    log: () => {},
    tally: new Tally(),
    clock: systemClock,
    common: { lines: '' },
    writer: new PlainWriter(),
  });
  let asked = 0;
  const app = express();
  const acquire = async () => {
    asked++;
    return () => {};
  };
  const parts = { clock: systemClock, slots: { acquire }, campaignIds: campaignIdRules.v2, onUnexpected: () => {} };
  const exports = new Exports({ ...parts, pages: {} as never }, { patienceSeconds: 1 });
  app.all(exportPath(sendsReport, 'csv'), exports.handler(sendsReport, 'csv'));
  app.use(((_error, _req, res, _next) => void res.writeHead(500).end()) satisfies express.ErrorRequestHandler);
  const server = http.createServer((req, res) => {
    observe(req, res).watch();
    app(req, res);
  });
  closers.push(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const { status } = await ask(`http://127.0.0.1:${port}/campaigns/1/sends.csv`);
  expect([status, asked]).toEqual([500, 0]);
});

async function up(isShared: boolean): Promise<{ it: Harness; redis: RedisServer | undefined }> {
  const env: Environment = { SENDGATE_TEAMS: '[{"name":"web","networks":["127.0.0.0/8"]}]' };
  const redis = isShared ? await RedisServer.start() : undefined;
  if (redis) env['REDIS_URL'] = redis.url;
  const it = await start({ ...env, SENDGATE_CALLERS_REQUIRED: 'true' });
  it.clock.forward(3); // Redis has been seen for long enough.
  closers.push(async () => {
    await it.close();
    await redis?.stop();
  });
  for (const id of ['1', '2']) it.sandbox.campaign({ id, size: 3, newestMs: Date.now() });
  return { it, redis };
}

describe.each([
  ['one instance', false],
  ['instances that share Redis', true],
])('in %s, a team without a share of the quota', (_, isShared) => {
  const get = ({ service }: Harness, campaign: string, team: string) =>
    service.pages.get(firstPage(campaign), { team, urgency: 'interactive', signal: new AbortController().signal });

  test.each(['default', '(none)', 'undefined'])('%s is refused at once; the others get their calls', async (team) => {
    const { it } = await up(isShared);
    await expect(get(it, '1', team)).rejects.toThrow('no share of the quota');
    expect(it.sandbox.callCount).toBe(0);
    expect((await it.get('/campaigns/2/sends')).status).toBe(200);
  });
});

test('calls in Redis under an impossible team cost the others none', async () => {
  const { it, redis } = await up(true);
  await it.page('/campaigns/2/sends');
  await redis?.ask(async (client) => {
    const [calls = ''] = await client.keys('*{quota}:calls');
    await client.hset(calls, 'c:(none)', 7);
  });
  expect((await it.get('/campaigns/1/sends')).status).toBe(200);
});
