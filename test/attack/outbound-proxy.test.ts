/**
 * Proxies that refuse, break or lie on the way to Constant Contact: what callers and the log are told, and what is bounded.
 */
import { mkdtempSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import { exitCodes } from '../../src/doctor/check-result.ts';
import { examine } from '../../src/doctor/doctor.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { Transport } from '../../src/upstream/transport.ts';
import { ForwardClock } from '../support/clock.ts';
import { makeCertificate, startStub } from '../support/forward-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { type Harness, startInstance, startSandbox, until, upstreamEnv } from '../support/harness.ts';

const [password, body] = ['pr0xy-5ecret', 'what the proxy says'];
const basic = Buffer.from(`me:${password}`).toString('base64');
const ending: (() => unknown)[] = [];
let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox();
});
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});
afterAll(() => sandbox.stop());

const behind = (port: number, scheme = 'http', timeoutMs = 50_000) => ({
  CONSTANT_CONTACT_BASE_URL: 'https://api.constantcontact.test',
  HTTPS_PROXY: `${scheme}://me:${password}@127.0.0.1:${port}`,
  SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: String(timeoutMs),
  SENDGATE_CONSTANT_CONTACT_DEADLINE_MS: '60000',
  SENDGATE_SERVER_DRAIN_TIMEOUT_MS: '100',
  SENDGATE_CONSTANT_CONTACT_RETRIES: '0',
});

async function startBehind(port: number, scheme?: string, timeoutMs?: number): Promise<Harness> {
  const sendgate = await startInstance(sandbox, new ForwardClock(), behind(port, scheme, timeoutMs));
  ending.push(() => sendgate.close());
  return sendgate;
}

/** A proxy that answers its first words. */
async function stubOf(answer: (socket: Socket) => void) {
  const stub = await startStub((socket) => void socket.once('data', () => answer(socket)));
  ending.push(() => stub.stop());
  return stub;
}
const says = (text: string) => (socket: Socket) => {
  socket.write(text);
};
const refuses = (status: string) =>
  says(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\nX: ${body}\r\n\r\n${body}`);

/** Writes until nobody reads any more. */
const sends =
  (start: string, part: string, everyMs: number) =>
  (socket: Socket): void => {
    socket.write(start);
    const timer = setInterval(() => socket.write(part), everyMs);
    socket.once('close', () => clearInterval(timer));
  };

test.each([
  ['wants other credentials', refuses('407 No'), 502, 'PROXY_407'],
  ['does not allow the host', refuses('403 No'), 502, 'PROXY_403'],
  ['cannot reach the host', refuses('503 No'), 502, 'PROXY_503'],
  ['redirects', refuses(`302 Found\r\nLocation: http://${body}/`), 502, 'PROXY_302'],
  ['answers with 101', refuses('101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade'), 502, 'PROXY_101'],
  ['is no HTTP proxy', says(`SSH-2.0-${body}\r\n`), 502, 'PROXY_HPE_INVALID_CONSTANT'],
  ['ends the connection', (socket: Socket): void => void socket.end(), 502, 'PROXY_ECONNRESET'],
  ['speaks before Constant Contact is asked', says(`HTTP/1.1 200 OK\r\n\r\n${body}`), 502, 'PROXY_EARLY_DATA'],
  ['has a huge header', says(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`), 502, 'PROXY_HPE_HEADER_OVERFLOW'],
  ['never ends its headers', sends('HTTP/1.1 200 OK\r\nX: ', 'x'.repeat(999), 1), 502, 'PROXY_HPE_HEADER_OVERFLOW'],
] as const)('a proxy that %s', async (_, answer, status, code) => {
  const stub = await stubOf(answer);
  const { get, lines, service } = await startBehind(stub.port);
  const response = await get('/campaigns/1/sends');
  const texts = [await response.text(), ...lines, await (await fetch(`${service.managementUrl}/metrics`)).text()];
  expect(response.status).toBe(status);
  expect(lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ event: 'outbound_proxy.failed', level: 'error', proxy: `127.0.0.1:${stub.port}`, code }),
  );
  expect(texts.join()).toContain('outcome="proxy"');
  for (const secret of [password, basic, body]) expect(texts.join()).not.toContain(secret);
  await until(() => stub.open === 0, 'no connection is left');
  expect(sandbox.callCount).toBe(0);
  expect(service.secretValues()).toEqual(expect.arrayContaining([password, basic]));
});

/** Calls that share no time limit with their tunnel, so that a stalled machine cannot let the wrong one pass first. */
function transportBehind(port: number, timeoutMs: number): Transport {
  const proxy = { variable: 'HTTPS_PROXY', isTls: false, host: '127.0.0.1', port };
  const sizes = { maxResponseBytes: 1_000, userAgent: 'test' };
  const transport = new Transport({ baseUrl: 'https://api.constantcontact.test', ...sizes, timeoutMs, proxy });
  ending.push(() => transport.close());
  return transport;
}
const request = { path: '/', query: {}, headers: {} };

test.each([
  ['hangs', () => {}],
  ['answers a byte at a time', sends('HTTP/1.1 200 OK\r\nX: ', 'x', 20)],
] as const)('a proxy that %s is given up, and named', async (_, answer) => {
  const stub = await stubOf(answer);
  const failure = await transportBehind(stub.port, 100)
    .send(request, 60_000)
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'PROXY_TIMEOUT', proxy: `127.0.0.1:${stub.port}` });
  await until(() => stub.open === 0, 'no connection is left');
});

test('callers get 504 from a proxy that hangs', async () => {
  const stub = await stubOf(() => {});
  const { get } = await startBehind(stub.port, 'http', 200);
  expect((await get('/campaigns/1/sends')).status).toBe(504);
});

test('a proxy that is not there', async () => {
  const port = await freePort();
  const { get, lines } = await startBehind(port);
  expect((await get('/campaigns/1/sends')).status).toBe(502);
  expect(lines.join()).toContain(
    `"event":"outbound_proxy.failed","proxy":"127.0.0.1:${port}","code":"PROXY_ECONNREFUSED","variable":"HTTPS_PROXY"`,
  );
});

test.each([
  ['wants other credentials', '407 No', 'requires credentials, or others (HTTP 407)'],
  ['does not allow the host', '403 No', 'refuses (HTTP 403)'],
])('the doctor finds a proxy that %s', async (_, status, found) => {
  const stub = await stubOf(refuses(status));
  const env = { ...upstreamEnv(sandbox, 'v2'), ...behind(stub.port), PORT: '0', SENDGATE_MANAGEMENT_PORT: '0' };
  const loaded = loadConfig(env, () => '');
  const { exitCode, results, secrets } = await examine(loaded, { clock: systemClock, userAgent: 'test' });
  expect(exitCode).toBe(exitCodes.proxy);
  expect(results).toContainEqual(
    expect.objectContaining({ kind: 'proxy', state: 'failed', found: `127.0.0.1:${stub.port} ${found}` }),
  );
  for (const secret of [password, basic, body]) expect(JSON.stringify(results)).not.toContain(secret);
  expect(secrets).toEqual(expect.arrayContaining([password, basic]));
});

test('a failure is logged once, even if its code changes with every call', async () => {
  const statuses = ['503 No', '407 No'];
  const stub = await stubOf((socket) => refuses(statuses[stub.accepted % 2] ?? '')(socket));
  const { get, lines } = await startBehind(stub.port);
  for (const campaign of [1, 2, 3, 4]) await get(`/campaigns/${campaign}/sends`);
  expect(lines.filter((line) => line.includes('outbound_proxy.failed'))).toHaveLength(1);
  for (const code of ['PROXY_503', 'PROXY_407']) {
    expect(lines.filter((line) => line.includes('call_failed') && line.includes(code)).length).toBeGreaterThan(0);
  }
});

test('a tunnel in which nothing comes is ended by the time limit', async () => {
  const stub = await stubOf(says('HTTP/1.1 200 OK\r\n\r\n'));
  const failure = await transportBehind(stub.port, 60_000)
    .send(request, 500)
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'upstream-timeout' });
  await until(() => stub.open === 0, 'no connection is left');
});

test('a tunnel that breaks is a connection that failed', async () => {
  const stub = await stubOf((socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\n'));
  const { get, lines } = await startBehind(stub.port);
  expect((await get('/campaigns/1/sends')).status).toBe(502);
  expect(lines.join()).toContain('"outcome":"connection","code":"ECONNRESET"');
  expect(lines.join()).not.toContain('outbound_proxy.failed');
});

test('stopping ends a tunnel that is being opened', async () => {
  const stub = await stubOf(() => {});
  const { get, service } = await startBehind(stub.port, 'http', 60_000);
  const asked = get('/campaigns/1/sends').catch(() => undefined);
  await until(() => stub.open === 2, 'the call and the check at start connect');
  await service.stop();
  await until(() => stub.open === 0, 'no connection is left');
  await asked;
});

describe('TLS to the proxy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sendgate-proxy-tls-'));

  test('shows the password to nobody whose certificate is not trusted', async () => {
    const { key, cert } = makeCertificate(folder, 'IP:127.0.0.1');
    let heard = '';
    const stub = await startStub((socket) => {
      new TLSSocket(socket, { isServer: true, key, cert })
        .on('error', () => {})
        .on('data', (part) => {
          heard += part;
        });
    });
    ending.push(() => stub.stop());
    const { get, lines } = await startBehind(stub.port, 'https');
    expect((await get('/campaigns/1/sends')).status).toBe(502);
    expect(lines.join()).toContain('"code":"PROXY_DEPTH_ZERO_SELF_SIGNED_CERT"');
    await until(() => stub.open === 0, 'no connection is left');
    expect(heard).toBe('');
  });
});
