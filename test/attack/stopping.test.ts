/**
 * A stop loses no response: requests that arrive while it drains are answered, with Connection: close.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { type Harness, start, startProcess, startSandbox, until, upstreamEnv } from '../support/harness.ts';
import { dial, type Raw, statusesIn, wire } from '../support/raw.ts';

const hit = '/campaigns/1/sends';
const open: Raw[] = [];
let it: Harness;
afterEach(() => {
  for (const { socket } of open.splice(0)) socket.destroy();
});

function fill(sandbox: Sandbox): void {
  for (const id of ['1', '2', '3']) sandbox.campaign({ id, size: 1_200, newestMs: Date.now() - 86_400_000 });
  sandbox.fault({ kind: 'latency', ms: 400, campaign: '2' });
}

async function connection(url = it.url): Promise<Raw> {
  const raw = await dial(url);
  open.push(raw);
  return raw;
}

/** An idle connection after its first response. */
async function idle(url = it.url): Promise<Raw> {
  const raw = await connection(url);
  raw.socket.write(wire(hit));
  await until(() => raw.text().includes('"results"') && raw.text().endsWith('}'), 'it is answered');
  return raw;
}

const headsOf = (text: string) => text.match(/HTTP\/1\.1 \d{3}[^{]+?\r\n\r\n/g) ?? [];
const isLast = (head: string | undefined) => head?.includes('\r\nConnection: close\r\n');

/** A Sendgate stopped with a request in flight on `slow`. */
async function stopInMidRequest(prepare: () => Promise<void> = async () => {}) {
  it = await start();
  fill(it.sandbox);
  await prepare();
  const slow = await connection();
  const asked = it.sandbox.callCount;
  slow.socket.write(wire('/campaigns/2/sends'));
  await until(() => it.sandbox.callCount > asked, 'it is asked for');
  const stopped = it.service.stop().then(() => it.sandbox.stop());
  return { slow, stopped };
}

describe('while it drains', () => {
  test('a request on a kept-alive connection is answered, and is its last', async () => {
    const targets = [
      hit,
      `${hit}/`,
      '/campaigns/3/sends',
      '/campaigns/1/sends.csv',
      '/campaigns/1/summary',
      '/campaigns/1/sends?limit=0',
      '/nowhere',
      '/openapi.json',
      '/status',
    ];
    const kept: Raw[] = [];
    const { slow, stopped } = await stopInMidRequest(async () => {
      for (const _ of targets) kept.push(await idle());
    });
    for (const [n, target] of targets.entries()) kept[n]?.socket.write(wire(target));
    for (const { closed } of kept) {
      const heads = headsOf(await closed);
      expect(heads).toHaveLength(2);
      expect(heads.map(isLast)).toEqual([false, true]);
    }
    const [head = ''] = headsOf(await slow.closed);
    expect(head).toContain(' 200 OK');
    expect(isLast(head)).toBe(true);
    await stopped;
  });

  test('idle connections are closed last', async () => {
    let kept: Raw | undefined;
    const { slow, stopped } = await stopInMidRequest(async () => {
      kept = await idle();
    });
    const order: string[] = [];
    await Promise.all([kept?.closed.then(() => order.push('idle')), slow.closed.then(() => order.push('in flight'))]);
    expect(order).toEqual(['in flight', 'idle']);
    await stopped;
  });

  test('all pipelined requests are answered, and the last response closes the connection', async () => {
    it = await start();
    fill(it.sandbox);
    const { socket, closed } = await connection();
    socket.write(['', '?limit=5', '?limit=6'].map((search) => wire(`/campaigns/2/sends${search}`)).join(''));
    await until(() => it.sandbox.callCount === 3, 'they are asked for');
    const stopped = it.service.stop();
    expect(headsOf(await closed).map(isLast)).toEqual([false, false, true]);
    await stopped;
    await it.sandbox.stop();
  });

  test('a partly received request is answered', async () => {
    let half: Raw | undefined;
    const { slow, stopped } = await stopInMidRequest(async () => {
      half = await connection();
      half.socket.write(wire(hit).slice(0, 30));
    });
    await slow.closed;
    await until(() => it.lines.some((line) => line.includes('campaigns/:id/sends')), 'nothing else is in flight');
    it.clock.forward(1);
    await new Promise((resolve) => setTimeout(resolve, 100)); // Several checks for idle connections.
    half?.socket.write(wire(hit).slice(30));
    expect(headsOf((await half?.closed) ?? '').map(isLast)).toEqual([true]);
    await stopped;
  });

  test('probes are answered, with Connection: close', async () => {
    const { stopped } = await stopInMidRequest();
    const { socket, closed } = await connection(it.service.managementUrl);
    socket.write(wire('/readyz'));
    const text = await closed;
    expect(statusesIn(text)).toEqual([503]);
    expect(isLast(headsOf(text)[0])).toBe(true);
    await stopped;
  });
});

test('connections without a request are closed at once, before requests in flight end', async () => {
  const unused: Raw[] = [];
  const { slow, stopped } = await stopInMidRequest(async () => {
    unused.push(await connection(), await connection(it.service.managementUrl));
    it.clock.forward(1); // Longer than a first request takes to arrive.
  });
  const order: string[] = [];
  slow.socket.once('close', () => order.push('in flight'));
  unused[0]?.socket.once('close', () => order.push('unused'));
  expect(await Promise.all(unused.map(({ closed }) => closed))).toEqual(['', '']);
  expect(headsOf(await slow.closed)).toHaveLength(1);
  expect(order).toEqual(['unused', 'in flight']);
  await stopped;
});

test('a new connection may still send its request', async () => {
  it = await start();
  fill(it.sandbox);
  const { socket, closed } = await connection();
  const stopped = it.service.stop();
  socket.write(wire(hit));
  expect(headsOf(await closed).map(isLast)).toEqual([true]);
  await stopped;
  await it.sandbox.stop();
});

test.each([
  ['half a request line', 'GET /campaigns/1'],
  ['half of its headers', wire(hit).slice(0, -2)],
  ['an empty line', '\r\n'],
])('a connection that has sent %s delays a stop for two seconds at most', async (_, sent) => {
  const tenMinutes = '600000';
  it = await start({
    SENDGATE_SERVER_DRAIN_TIMEOUT_MS: '600000',
    SENDGATE_SERVER_HEADERS_TIMEOUT_MS: tenMinutes,
    SENDGATE_SERVER_REQUEST_TIMEOUT_MS: tenMinutes,
  });
  fill(it.sandbox);
  const used = await idle();
  const fresh = await connection();
  for (const { socket } of [used, fresh]) socket.write(sent);
  await new Promise((resolve) => setTimeout(resolve, 50)); // Lets them arrive.
  const stopped = it.service.stop();
  it.clock.forward(2);
  await Promise.all([used.closed, fresh.closed]);
  await stopped;
  await it.sandbox.stop();
});

test('workers drain in the same way', async () => {
  const sandbox = await startSandbox();
  fill(sandbox);
  sandbox.fault({ kind: 'latency', ms: 1_500, campaign: '2' });
  const sendgate = await startProcess({ ...upstreamEnv(sandbox), SENDGATE_WORKERS: '2' });
  const kept = [await idle(sendgate.url), await idle(sendgate.url)];
  const slow = await connection(sendgate.url);
  const asked = sandbox.callCount;
  slow.socket.write(wire('/campaigns/2/sends'));
  await until(() => sandbox.callCount > asked, 'it is asked for');
  const stopped = sendgate.stop();
  await until(() => sendgate.output().includes('service.draining'), 'it drains');
  for (const { socket } of kept) socket.write(wire(hit));
  for (const { closed } of kept) {
    const text = await closed;
    expect(statusesIn(text)).toEqual([200, 200]);
  }
  expect(isLast(headsOf(await slow.closed)[0])).toBe(true);
  expect(await stopped).toBe(0);
  await sandbox.stop();
});
