/**
 * A closed connection ends everything requested on it: waits, export slots, log lines, metrics.
 */
import { EventEmitter } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { connectionOf } from '../../src/http/connection.ts';
import { Connections } from '../../src/http/connections.ts';
import { untilDisconnected } from '../../src/http/disconnect.ts';
import { LocalExportSlots } from '../../src/reports/export/slots.ts';
import { Answering } from '../../src/workers/channel.ts';
import type { Answers } from '../../src/workers/protocol.ts';
import { FakeClock } from '../support/clock.ts';
import {
  type Environment,
  type Harness,
  start,
  startProcess,
  startSandbox,
  until,
  upstreamEnv,
} from '../support/harness.ts';
import { hugeCampaign } from '../support/huge-campaign.ts';
import { dial, dialDeaf, statusesIn, wire } from '../support/raw.ts';

let it: Harness;
afterEach(() => it?.close());

async function begin(env: Environment = {}): Promise<void> {
  it = await start(env);
  it.sandbox.campaign({ id: '1', size: 300_000, newestMs: Date.now() - 86_400_000 });
}

/** Lines of requests that were logged, by status. */
const logged = (status: number) => it.lines.filter((line) => line.includes(`"status":${status}`)).length;
const metrics = async () => (await fetch(`${it.service.managementUrl}/metrics`)).text();
const counted = async (status: number) => {
  const values = [
    ...(await metrics()).matchAll(new RegExp(`^sendgate_requests_total\\{.*status="${status}".*\\} (\\d+)$`, 'gm')),
  ];
  return values.reduce((sum, [, count]) => sum + Number(count), 0);
};
function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Sends requests on a connection that reads nothing; resolves when they have arrived. */
async function askDeaf(requests: string): Promise<Socket> {
  const id = `first-of-${it.lines.length}`;
  const socket = await dialDeaf(it.url);
  socket.write(wire('/problems/not-found', [`X-Request-Id: ${id}`]) + requests);
  await until(() => it.lines.some((line) => line.includes(id)), 'the first is answered');
  return socket;
}
const exportStatus = async () => {
  const answer = await fetch(`${it.url}/campaigns/1/sends.csv`);
  await answer.body?.cancel();
  return answer.status;
};

describe('a connection that reads nothing and is reset', () => {
  test('releases the slot of an export queued behind four big responses', async () => {
    await begin();
    const big = wire('/assets/site/vendor/swagger-ui-bundle.js');
    for (let n = 0; n < 4; n++) {
      const socket = await askDeaf(big.repeat(4) + wire('/campaigns/1/sends.csv'));
      socket.resetAndDestroy();
    }
    await until(async () => (await exportStatus()) === 200, 'the team exports again');
    await until(() => it.lines.filter((line) => line.includes('"status":499')).length >= 4, 'their ends are logged');
    await until(async () => (await metrics()).includes('sendgate_exports_running 0\n'), 'no export runs');
  });

  test('ends its forty misses, each logged and counted', async () => {
    await begin({ SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
    it.sandbox.fault({ kind: 'hang' });
    const socket = await dialDeaf(it.url);
    const misses = Array.from({ length: 40 }, (_, n) => wire(`/campaigns/1/sends?limit=${n + 1}`)).join('');
    socket.write(misses);
    await until(() => it.sandbox.callCount === 4, 'as many as may be are asked for');
    socket.resetAndDestroy();
    await until(() => logged(499) === 40, 'forty lines');
    await until(async () => (await counted(499)) === 40, 'forty are counted');
  });
});

test('with workers, slots are released in the process that holds them', async () => {
  const sandbox = await startSandbox();
  sandbox.campaign({ id: '1', size: 300_000, newestMs: Date.now() - 86_400_000 });
  const env = { ...upstreamEnv(sandbox), SENDGATE_WORKERS: '2', SENDGATE_EXPORTS_PER_TEAM: '2' };
  const { url, output, stop } = await startProcess(env);
  const ends = () => output().match(/"route":"\/campaigns\/:id\/sends.csv".*"status":499/g)?.length ?? 0;
  for (let n = 0; n < 4; n++) {
    const asked = sandbox.callCount;
    const socket = await dialDeaf(url);
    // Queued after a miss, so that it has no socket yet.
    sandbox.fault({ kind: 'hang' });
    socket.write(
      wire(`/campaigns/1/sends?limit=${n + 1}`) + wire(`/campaigns/1/sends.csv?created_since=2026-01-0${n + 1}`),
    );
    await until(() => sandbox.callCount >= asked + 2, 'both are asked for');
    socket.resetAndDestroy();
    await until(() => ends() === n + 1, 'its end is logged');
    sandbox.heal();
  }
  const answer = await fetch(`${url}/campaigns/1/sends.csv`);
  expect(answer.status).toBe(200);
  await answer.body?.cancel();
  expect(await stop()).toBe(0);
  await sandbox.stop();
});

test('a truncated response is logged as such, even if it was written completely', async () => {
  await begin({ SENDGATE_CONSTANT_CONTACT_MAX_RESPONSE_BYTES: '33554432' });
  it.sandbox.campaign(hugeCampaign('2'));
  expect((await it.get('/campaigns/2/sends')).status).toBe(200);
  await until(() => logged(200) === 1, 'the page is held');
  const socket = await askDeaf(wire('/campaigns/2/sends'));
  socket.resetAndDestroy();
  await until(() => logged(499) === 1, 'its line is written');
  expect(logged(200)).toBe(2);
});

test.each([0, 2])(
  'an export releases its slot if its first page arrives after the disconnect (queued after %d)',
  async (n) => {
    await begin();
    const { pages } = it.service;
    const get = pages.get.bind(pages);
    const { promise, resolve } = withResolvers();
    let isAsked = false;
    pages.get = async (query, ask) => {
      isAsked = true;
      await promise;
      return get(query, { ...ask, signal: new AbortController().signal });
    };
    const socket = await askDeaf(wire('/campaigns/1/sends?limit=1').repeat(n) + wire('/campaigns/1/sends.csv'));
    await until(() => isAsked, 'it waits');
    socket.resetAndDestroy();
    await until(() => logged(499) === n + 1, 'its line is written');
    resolve();
    await until(async () => (await metrics()).includes('sendgate_exports_running 0\n'), 'no export runs');
  },
);

test('node:http closes the first response of a connection, and Sendgate those queued behind it', () => {
  const limits = { maxConnections: 1, maxPerPeer: 1, patienceMs: 1_000, peerOf: () => 'a' };
  const connections = new Connections({ ...limits, onRejected: () => {}, onStalled: () => {} }, new FakeClock());
  const socket = new Socket();
  connections.accept(socket);
  const told: string[] = [];
  for (const [name, own] of [['head', socket] as const, ['second', null] as const, ['third', null] as const]) {
    const res = Object.assign(new EventEmitter(), { socket: own });
    res.on('close', () => told.push(`${name} ${(res as { destroyed?: boolean }).destroyed}`));
    connectionOf({ socket })?.keep(res as never);
  }
  socket.emit('close');
  expect(told).toEqual(['second true', 'third true']);
});

test('a wait that starts after the caller has disconnected ends at once', () => {
  const res = new ServerResponse(new IncomingMessage(new Socket()));
  expect(untilDisconnected(res).aborted).toBe(false);
  res.destroy();
  expect(untilDisconnected(res).aborted).toBe(true);
});

test("a question that arrives after a worker's end takes no slot", async () => {
  const entered: unknown[] = [];
  const answering = new Answering(
    { enterExport: (exporter: unknown) => entered.push(exporter) } as unknown as Answers,
    () => {},
    () => {},
  );
  const ask = (id: number) =>
    answering.received({ kind: 'ask', id, what: 'enterExport', about: { team: 'web', client: 'a' }, trace: {} });
  ask(1);
  answering.close();
  ask(2);
  expect(entered).toHaveLength(1);
});

describe('one client', () => {
  const acquire = (slots: LocalExportSlots, client: string, team = 'web') => slots.acquire({ team, client });
  const refused = { code: 'rate-limited', retryAfterSeconds: 10 };

  test('leaves the last export slot of its team to another client', async () => {
    const slots = new LocalExportSlots(4);
    const own = [await acquire(slots, 'a'), await acquire(slots, 'a'), await acquire(slots, 'a')];
    await expect(acquire(slots, 'a')).rejects.toMatchObject(refused);
    const other = await acquire(slots, 'b');
    await expect(acquire(slots, 'c')).rejects.toMatchObject(refused);
    await acquire(slots, 'a', 'jobs');
    own[0]?.();
    own[0]?.(); // Released twice, it frees one slot.
    await acquire(slots, 'c');
    await expect(acquire(slots, 'a')).rejects.toMatchObject(refused);
    other();
    await acquire(slots, 'd');
  });

  test('may take a single slot', async () => {
    await expect(acquire(new LocalExportSlots(1), 'a')).resolves.toBeDefined();
  });

  test.each([undefined, 3_000])(
    'gets a refusal that names the reserved slot, in a team with %j requests a minute',
    async (rate) => {
      const teams = [{ name: 'c', networks: ['127.0.0.0/8'], ...(rate && { requestsPerMinute: rate }) }];
      await begin({ SENDGATE_EXPORTS_PER_TEAM: '2', SENDGATE_TEAMS: JSON.stringify(teams) });
      const running = await dialDeaf(it.url);
      running.write(wire('/campaigns/1/sends.csv'));
      await until(() => it.sandbox.callCount > 0, 'it runs');
      const answer = await fetch(`${it.url}/campaigns/1/sends.csv`);
      expect(answer.status).toBe(429);
      expect(await answer.text()).toContain('kept for another client');
      const other = await dial(it.url, '127.0.0.2');
      other.socket.write(wire('/campaigns/1/sends.csv'));
      await until(() => statusesIn(other.text()).includes(200), 'another client has it');
      other.socket.destroy();
      running.destroy();
    },
  );
});
