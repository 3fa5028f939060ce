/**
 * Readers that never read: their responses wait for a bounded time, and one peer holds only some of the connections.
 */
import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Addresses } from '../../src/callers/address.ts';
import { connectionLimits } from '../../src/callers/connection-limits.ts';
import { connectionOf } from '../../src/http/connection.ts';
import { type ConnectionLimits, Connections } from '../../src/http/connections.ts';
import { FakeClock, ForwardClock } from '../support/clock.ts';
import { type Environment, type Harness, start, until } from '../support/harness.ts';
import { hugeCampaign } from '../support/huge-campaign.ts';
import { dial, dialDeaf, statusesIn, wire } from '../support/raw.ts';

/** Of a megabyte and a half. */
const big = '/assets/site/vendor/swagger-ui-bundle.js';
let it: Harness;
let close: (() => Promise<void>) | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await close?.();
  close = undefined;
});

async function begin(env: Environment = {}): Promise<void> {
  it = await start(env);
  close = it.close;
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() - 86_400_000 });
}

async function deaf(localAddress?: string): Promise<Socket> {
  const socket = await dialDeaf(it.url, localAddress);
  sockets.push(socket);
  return socket;
}

const isServed = async (localAddress: string) => {
  const { socket, text } = await dial(it.url, localAddress);
  sockets.push(socket);
  socket.write(wire('/campaigns/1/sends'));
  await until(() => statusesIn(text()).length === 1 || socket.destroyed, 'it is answered or closed');
  return statusesIn(text())[0] === 200;
};

const warnings = (event: string) =>
  it.lines.filter((line) => line.includes(`"event":"${event}"`)).map((line) => JSON.parse(line));

describe('a reader that never reads', () => {
  test('is disconnected after exports.patienceSeconds, for any resource', async () => {
    await begin();
    // A file of the site, then pipelined files, hits, errors and an export.
    const requests = [
      wire(big).repeat(4),
      `${wire('/campaigns/1/sends').repeat(10)}${wire(big).repeat(4)}`,
      `${wire('/campaigns/1/sends?limit=0')}${wire(big).repeat(3)}${wire('/campaigns/1/sends.csv')}`,
    ];
    for (const request of requests) (await deaf()).write(request);
    await until(() => it.lines.filter((line) => line.includes('"route"')).length >= 13, 'they have come');
    const aLook = () => new Promise((resolve) => setTimeout(resolve, 1_100));
    await aLook();
    it.clock.forward(100);
    await aLook();
    expect(it.lines.filter((line) => line.includes('"status":499'))).toHaveLength(0);
    await until(() => {
      it.clock.forward(1);
      return it.lines.filter((line) => line.includes('"route"')).length === 23;
    }, 'all are over');
    expect(it.lines.filter((line) => line.includes('"status":499')).length).toBeGreaterThan(5);
    expect(warnings('connections.stalled')).toEqual([
      expect.objectContaining({ level: 'warn', peer: '127.0.0.1', patienceSeconds: 120 }),
    ]);
    expect(await isServed('127.0.0.1')).toBe(true);
  });

  test('queues its requests, not their responses', async () => {
    await begin();
    const { socket, text } = await dial(it.url);
    sockets.push(socket);
    socket.pause();
    socket.write(wire(big).repeat(8) + wire('/campaigns/1/sends') + wire('/campaigns/1/summary'));
    await until(() => it.lines.some((line) => line.includes(':name"')), 'the first is out');
    it.sandbox.campaign({ id: '2', size: 3, newestMs: Date.now() });
    expect((await it.get('/campaigns/2/sends')).status).toBe(200);
    expect(it.sandbox.callCount).toBe(1); // Only this client's.
    socket.resume();
    await until(() => statusesIn(text()).length === 10, 'all are answered');
    expect(it.sandbox.callCount).toBe(3);
  });
});

test('blocks one big response, and the others are not started', async () => {
  await begin({ SENDGATE_CONSTANT_CONTACT_MAX_RESPONSE_BYTES: '33554432' });
  it.sandbox.campaign(hugeCampaign('2'));
  /** Requests that its client has left in this minute; each is counted at its start. */
  const left = async () => {
    const { headers } = await it.get('/campaigns/2/sends', { 'accept-encoding': 'br' });
    return Number(/r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]);
  };
  await left();
  // Held as it is, too: hits are answered in the moment in which they come.
  await (await it.get('/campaigns/2/sends', { 'accept-encoding': 'identity' })).text();
  const before = await left();
  const socket = await deaf();
  socket.write(wire('/problems/not-found', ['X-Request-Id: the-first']) + wire('/campaigns/2/sends').repeat(4));
  await until(() => it.lines.some((line) => line.includes('the-first')), 'they have come');
  expect(before - (await left())).toBe(2);
  socket.resetAndDestroy();
  await until(() => it.lines.filter((line) => line.includes('"status":499')).length === 4, 'all are over');
  expect(before - (await left())).toBe(3);
});

/** A socket whose drained bytes the test controls. */
function fakeSocket() {
  const handle = { bytesWritten: 0, writeQueueSize: 0 };
  const socket = Object.assign(new EventEmitter(), {
    ...{ _handle: handle, writableLength: 0, remoteAddress: '10.0.0.1', wasReset: false },
    resetAndDestroy: () => {
      socket.wasReset = true;
      socket.emit('close');
    },
  });
  return { socket, handle };
}

describe('patience', () => {
  const limits: ConnectionLimits = {
    ...{ maxConnections: 10, maxPerPeer: 10, patienceMs: 120_000, peerOf: () => 'a' },
    ...{ onRejected: () => {}, onStalled: () => {} },
  };

  /** @param takenASecond bytes that the reader drains per second */
  async function secondsUntilReset(takenASecond: number, waiting = 1_000_000): Promise<number> {
    const clock = new FakeClock();
    const connections = new Connections(limits, clock);
    const { socket, handle } = fakeSocket();
    connections.accept(socket as unknown as Socket);
    connectionOf({ socket: socket as unknown as Socket })?.keep(new EventEmitter() as never);
    handle.bytesWritten = waiting;
    socket.writableLength = waiting;
    for (let second = 1; second <= 1_000; second++) {
      handle.writeQueueSize = waiting - second * takenASecond;
      await clock.pass(1_000);
      if (socket.wasReset) return second;
    }
    return Number.POSITIVE_INFINITY;
  }

  test.each([
    ['nothing', 0, 120],
    ['a byte now and then', 1, 120],
    ['a little less than the least', 239, 120],
    ['the least', 240, Number.POSITIVE_INFINITY],
  ])('with one that takes %s', async (_, bytes, seconds) => {
    expect(await secondsUntilReset(bytes)).toBe(seconds);
  });

  test('is not spent while nothing waits to be read', async () => {
    expect(await secondsUntilReset(0, 0)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('the connections', () => {
  test('remain for others when one peer opens as many as it can', async () => {
    await begin({ SENDGATE_SERVER_MAX_CONNECTIONS: '60' });
    const held = await Promise.all(Array.from({ length: 60 }, () => deaf()));
    for (const socket of held) socket.write(wire(big).repeat(4));
    await until(() => held.filter((socket) => socket.resume().destroyed).length === 45, 'it holds a quarter');
    for (const address of ['127.0.0.2', '127.0.0.3']) expect(await isServed(address)).toBe(true);
    expect(await isServed('127.0.0.1')).toBe(false);
    expect(warnings('connections.peer-full')).toEqual([
      expect.objectContaining({ level: 'warn', peer: '127.0.0.1', maxPerPeer: 15 }),
    ]);
    expect(warnings('connections.peer-full')[0].msg).toContain('server.trustProxy');
    held.find((socket) => !socket.destroyed)?.destroy();
    await until(() => isServed('127.0.0.1'), 'there is room again');
  });

  test('are all available to a trusted proxy', async () => {
    await begin({ SENDGATE_SERVER_MAX_CONNECTIONS: '8', SENDGATE_SERVER_TRUST_PROXY: '127.0.0.1' });
    const served = [];
    for (let n = 0; n < 8; n++) served.push(await isServed('127.0.0.1'));
    expect(served).toEqual(Array(8).fill(true));
    expect(await isServed('127.0.0.1')).toBe(false);
    await until(() => warnings('connections.full').length === 1, 'that is another limit');
  });

  const limitsOf = (maxConnections: number, workers = 1, trustProxy: string[] = []) => {
    const config = { server: { maxConnections, workers }, exports: { patienceSeconds: 120 } };
    const parts = { clock: new ForwardClock(), emit: () => {}, addresses: new Addresses(trustProxy) };
    return connectionLimits(config as Parameters<typeof connectionLimits>[0], parts);
  };

  test.each([
    [1, 1, 1, 1],
    [3, 1, 3, 1],
    [4, 1, 4, 1],
    [60, 1, 60, 15],
    [10_000, 1, 10_000, 2_500],
    [10_000, 4, 2_500, 625],
    [2, 4, 1, 1],
  ])('of %d with %d processes are %d in each, and %d for one peer', (max, workers, all, one) => {
    expect(limitsOf(max, workers)).toMatchObject({ maxConnections: all, maxPerPeer: one });
  });

  test.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['127.0.0.1', '127.0.0.1'],
    ['2001:db8:0:ff00::1', '2001:db8:0:ff00::/56'],
    ['2001:db8:0:ffff::1', '2001:db8:0:ff00::/56'],
    [undefined, 'unknown'],
    ['10.9.0.1', undefined],
    ['::ffff:10.9.0.1', undefined],
  ])('of %s are counted as those of %s', (remoteAddress, peer) => {
    const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress });
    expect(limitsOf(60, 1, ['10.9.0.0/16']).peerOf(socket)).toBe(peer);
  });
});
