/**
 * Requests that node:http rejects are answered, logged and counted in order like any other; no header is ever dropped.
 */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type Environment, type Harness, start, until } from '../support/harness.ts';
import { dial, statusesIn, wire } from '../support/raw.ts';

let it: Harness;
afterEach(() => it?.close());

async function begin(env: Environment = {}): Promise<void> {
  it = await start(env);
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() - 86_400_000 });
}

/** Everything received until the connection closes. */
async function talk(text: string, url = it.url): Promise<string> {
  const { socket, closed } = await dial(url);
  socket.write(text);
  return closed;
}

const many = (count: number) => Array.from({ length: count }, (_, n) => `X-${n}: 1`);
const linesOf = (status: number) =>
  it.lines.filter((line) => line.includes(`"status":${status}`)).map((line) => JSON.parse(line));
const metrics = async () => (await fetch(`${it.service.managementUrl}/metrics`)).text();

/** Input, with the status and type of its response. */
const refused: [name: string, input: string, status: number, type: string][] = [
  ['what is no HTTP', 'k3y-G4RBAGE\r\n\r\n', 400, 'malformed-request'],
  ['TLS', '\x16\x03\x01\x02k3y', 400, 'malformed-request'],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'malformed-request'],
  ['no Host', 'GET /k3y HTTP/1.1\r\n\r\n', 400, 'malformed-request'],
  ['two Hosts', wire('/k3y', ['Host: localhost']), 400, 'malformed-request'],
  ['a method that there is not', wire('/k3y', [], 'BREW'), 400, 'malformed-request'],
  ['201 headers', wire('/k3y', many(200)), 431, 'headers-too-large'],
  ['1,500 headers', wire('/k3y', many(1_500)), 431, 'headers-too-large'],
  ['17 KB of headers', wire('/k3y', [`X: ${'k3y'.repeat(6_000)}`]), 431, 'headers-too-large'],
  ['a megabyte of headers', wire('/k3y', [`X: ${'k3y'.repeat(350_000)}`]), 431, 'headers-too-large'],
  ['an expectation', wire('/k3y', ['Expect: k3y']), 417, 'expectation-failed'],
  ['CONNECT', 'CONNECT k3y:443 HTTP/1.1\r\nHost: k3y:443\r\n\r\n', 405, 'method-not-allowed'],
];

describe('the response is a problem for', () => {
  test.each(refused)('%s', async (_, input, status, type) => {
    await begin();
    const text = await talk(input);
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(statusesIn(text)).toEqual([status]);
    expect(head).toContain('\r\nConnection: close');
    expect(head).toContain('\r\nContent-Type: application/problem+json');
    expect(head).toContain('\r\nx-content-type-options: nosniff');
    const id = /\r\nX-Request-Id: (\S+)/.exec(head)?.[1];
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(JSON.parse(body)).toMatchObject({ type: `/problems/${type}`, status, instance: id });
    await until(() => linesOf(status).length === 1, 'it is logged');
    expect(linesOf(status)[0]).toMatchObject({ id, route: '(none)', problem: type });
    expect(await metrics()).toContain(`sendgate_requests_total{route="(none)",status="${status}",team="default"} 1\n`);
    expect(text + it.lines.join('')).not.toContain('k3y');
    expect((await it.get('/campaigns/1/sends')).status).toBe(200);
  });

  test('headers that do not arrive', async () => {
    await begin({ SENDGATE_SERVER_HEADERS_TIMEOUT_MS: '100' });
    const text = await talk('GET / HTTP/1.1\r\nHost: k3y');
    expect(statusesIn(text)).toEqual([408]);
    expect(text).toContain('/problems/request-timeout');
    await until(() => linesOf(408).length === 1, 'it is logged');
    // A connection without a request is not logged.
    expect(await talk('')).toBe('');
    expect(linesOf(408)).toHaveLength(1);
  });

  test.each([
    ['201 headers', wire('/livez', many(200)), 431],
    ['17 KB of headers', wire('/livez', [`X: ${'x'.repeat(17_000)}`]), 431],
    ['two Hosts', wire('/livez', ['Host: localhost']), 400],
    ['an expectation', wire('/livez', ['Expect: much']), 417],
    ['garbage', 'GARBAGE\r\n\r\n', 400],
  ])('%s, on the management listener', async (_, input, status) => {
    await begin();
    const text = await talk(input, it.service.managementUrl);
    expect(statusesIn(text)).toEqual([status]);
    expect(text).toContain('{"error":"');
    expect((await fetch(`${it.service.managementUrl}/livez`)).status).toBe(200);
  });
});

describe('headers', () => {
  test('are all evaluated, whatever else comes with them', async () => {
    const teams = [{ name: 'web', networks: ['10.1.0.0/16'] }];
    await begin({ SENDGATE_TEAMS: JSON.stringify(teams), SENDGATE_SERVER_TRUST_PROXY: 'loopback' });
    const asked = wire('/campaigns/1/sends', [...many(197), 'X-Forwarded-For: 10.1.2.3', 'Connection: close']);
    const text = await talk(asked);
    expect(statusesIn(text)).toEqual([200]);
    expect(text).toContain('RateLimit: "web"');
  });

  test('sent twice are not reduced to the first one', async () => {
    const digest = createHash('sha256').update('right').digest('hex');
    const teams = [{ name: 'web', tokensSha256: [digest] }];
    await begin({ SENDGATE_TEAMS: JSON.stringify(teams), SENDGATE_CALLERS_REQUIRED: 'true' });
    const tokens = ['Authorization: Bearer right', 'Authorization: Bearer wrong', 'Connection: close'];
    expect(statusesIn(await talk(wire('/campaigns/1/sends', tokens)))).toEqual([401]);
    expect(statusesIn(await talk(wire('/campaigns/1/sends', [tokens[0] ?? '', tokens[2] ?? ''])))).toEqual([200]);
  });
});

describe('behind requests in progress', () => {
  test.each([
    ['garbage', 'G\0RBAGE\r\n\r\n', 400],
    ['an expectation', wire('/', ['Expect: much']), 417],
    ['too many headers', wire('/', many(200)), 431],
    ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 405],
  ])('%s gets its response in order', async (_, input, status) => {
    await begin();
    it.sandbox.fault({ kind: 'latency', ms: 100 });
    const text = await talk(wire('/campaigns/1/sends') + wire('/campaigns/1/summary') + input);
    expect(statusesIn(text)).toEqual([200, 200, status]);
    await until(() => linesOf(200).length === 2 && linesOf(status).length === 1, 'three lines');
  });

  test('requests after a refusal are ignored', async () => {
    await begin();
    const text = await talk(wire('/', many(200)) + wire('/campaigns/1/sends'));
    expect(statusesIn(text)).toEqual([431]);
    await until(() => linesOf(499).length === 1, 'it is logged');
    expect(it.sandbox.callCount).toBe(0);
  });

  test('data after the last request of a connection does not affect it', async () => {
    await begin();
    it.sandbox.fault({ kind: 'latency', ms: 100 });
    const text = await talk(`${wire('/campaigns/1/sends', ['Connection: close'])}GARBAGE\r\n\r\n`);
    expect(statusesIn(text)).toEqual([200]);
  });

  test('a bad body gets no response besides that of its request', async () => {
    await begin();
    const chunked = wire('/campaigns/1/sends', ['Transfer-Encoding: chunked']);
    expect(statusesIn(await talk(`${chunked}nonsense\r\n`))).toEqual([200]);
    await until(() => linesOf(200).length === 1, 'it is logged');
    expect(linesOf(400)).toEqual([]);
  });

  test('an endless body gets none either', async () => {
    await begin({ SENDGATE_SERVER_REQUEST_TIMEOUT_MS: '300', SENDGATE_SERVER_HEADERS_TIMEOUT_MS: '200' });
    const text = await talk(`${wire('/campaigns/1/sends', ['Content-Length: 1000'])}some of it`);
    expect(statusesIn(text)).toEqual([200]);
    expect(linesOf(408)).toEqual([]);
  });

  test('one request too many closes the connection after the others, and all are logged', async () => {
    await begin();
    it.sandbox.fault({ kind: 'latency', ms: 10 });
    const text = await talk(Array.from({ length: 150 }, (_, n) => wire(`/campaigns/1/sends?limit=${n + 1}`)).join(''));
    expect(statusesIn(text)).toEqual([...Array(100).fill(200), 429]);
    expect(text).toContain('wait for their answers on this connection');
    await until(() => linesOf(499).length === 49, 'those that were not answered, too');
    expect(linesOf(200)).toHaveLength(100);
    expect(it.sandbox.callCount).toBe(100);
  });
});

test('an export before CONNECT is complete, or ends with its connection', async () => {
  await begin({ SENDGATE_EXPORTS_MAX: '1' });
  it.sandbox.campaign({ id: '2', size: 20_000, newestMs: Date.now() - 86_400_000 });
  const exportThenConnect = `${wire('/campaigns/2/sends.csv')}CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n`;
  const text = await talk(exportThenConnect);
  expect(statusesIn(text)).toEqual([200, 405]);
  expect(text.match(/@/g)?.length).toBeGreaterThanOrEqual(20_000);

  const { socket } = await dial(it.url);
  socket.pause();
  socket.write(exportThenConnect);
  await until(async () => (await metrics()).includes('sendgate_exports_running 1'), 'it runs');
  socket.resetAndDestroy();
  await until(() => linesOf(499).length === 1, 'it has ended');
  expect(await metrics()).toContain('sendgate_exports_running 0');
});

describe('requests that queue on the connections of one address', () => {
  const held = Array.from({ length: 30 }, () => wire('/campaigns/1/sends', [`X: ${'x'.repeat(1_000)}`])).join('');

  test('are as many as it may have connections; further ones reset theirs, and other addresses do not notice', async () => {
    await begin({ SENDGATE_SERVER_MAX_CONNECTIONS: '400' });
    it.sandbox.fault({ kind: 'hang' });
    const clients = await Promise.all(Array.from({ length: 5 }, () => dial(it.url)));
    const isOpen = clients.map(() => true);
    for (const [n, { socket, closed }] of clients.entries()) {
      closed.then(
        () => (isOpen[n] = false),
        () => (isOpen[n] = false),
      );
      socket.write(held);
      await until(() => it.sandbox.callCount > 0, 'the first one waits');
    }
    await until(() => isOpen.filter(Boolean).length <= 3, 'two are reset');
    await until(() => linesOf(499).length > 0, 'their requests have ended');
    const { socket, text } = await dial(it.url, '127.0.0.2');
    socket.write(wire('/status'));
    await until(() => statusesIn(text()).length === 1, 'another address is answered');
    for (const one of [socket, ...clients.map((client) => client.socket)]) one.destroy();
    await until(() => linesOf(499).length >= 90, 'their requests have ended');

    const { socket: again, text: answers } = await dial(it.url);
    it.sandbox.heal();
    again.write(wire('/status').repeat(90));
    await until(() => statusesIn(answers()).length === 90, 'there is room again');
    again.destroy();
  });
});

test('a client that keeps pipelining after the refusal is disconnected, and others are answered', async () => {
  await begin();
  it.sandbox.fault({ kind: 'hang' });
  const { socket, closed } = await dial(it.url);
  socket.write(wire('/campaigns/1/sends?limit=7'));
  const flood = wire('/campaigns/1/sends').repeat(200);
  let sent = 0;
  const pour = () => {
    while (!socket.destroyed && sent < 20_000) {
      sent += 200;
      if (!socket.write(flood)) return socket.once('drain', pour);
    }
  };
  pour();
  await closed;
  await until(() => linesOf(499).length >= 900, 'those that were kept are logged');
  expect(linesOf(499).length).toBeLessThanOrEqual(1_000);
  expect((await fetch(`${it.url}/status`)).status).toBe(200);
});

test('a request with Upgrade or Expect: 100-continue is handled like any other', async () => {
  await begin();
  const { socket, text } = await dial(it.url);
  socket.write(wire('/campaigns/1/sends', ['Connection: Upgrade', 'Upgrade: websocket']));
  await until(() => statusesIn(text()).length === 1, 'it is answered');
  socket.write(`${wire('/campaigns/1/sends', ['Expect: 100-continue', 'Content-Length: 2'])}ok`);
  await until(() => statusesIn(text()).length === 3, 'it is answered');
  socket.write(wire('/campaigns/1/sends'));
  await until(() => statusesIn(text()).length === 4, 'the connection is in order');
  expect(statusesIn(text())).toEqual([200, 100, 200, 200]);
  socket.destroy();
});
