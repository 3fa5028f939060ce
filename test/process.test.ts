/**
 * The process that `npm start` runs.
 */
import { spawn } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { accessToken, apiKey, spawnMain, startProcess, startSandbox, until, upstreamEnv } from './support/harness.ts';

let sandbox: Sandbox;
const folder = mkdtempSync(join(tmpdir(), 'sendgate-'));

beforeAll(async () => {
  sandbox = await startSandbox();
  for (let n = 1; n <= 9; n++) sandbox.campaign({ id: String(n), size: 3, newestMs: Date.now() });
});
afterAll(async () => {
  await sandbox.stop();
});

describe('at the start', () => {
  test('a bad configuration ends with exit code 78 and every mistake', async () => {
    const { exited, output } = spawnMain({ PORT: 'x', SENDGATE_LOG_LEVEL: 'loud' });
    expect(await exited).toBe(78);
    expect(output()).toMatch(/3 mistakes:\n {2}- .*PORT.*\n {2}- .*LOG_LEVEL.*\n {2}- .*API_KEY/);
  });

  test('--check-config prints the effective configuration with the secrets masked', async () => {
    const { exited, output } = spawnMain({ CONSTANT_CONTACT_API_KEY: apiKey, PORT: '1234' }, ['--check-config']);
    expect(await exited).toBe(0);
    expect(JSON.parse(output())).toMatchObject({
      server: { port: 1234 },
      secrets: { apiKey: '(set)', accessToken: '(not set)' },
    });
    expect(output()).not.toContain(apiKey);
  });

  test('--check-config ends with 78 for a bad one', async () => {
    expect(await spawnMain({}, ['--check-config']).exited).toBe(78);
  });

  test('--help prints the usage, and an unknown flag is refused', async () => {
    const help = spawnMain({}, ['--help']);
    expect(await help.exited).toBe(0);
    expect(help.output()).toContain('--check-config');
    expect(await spawnMain({}, ['--nonsense']).exited).toBe(64);
  });

  test('--version prints the version alone', async () => {
    const { exited, output } = spawnMain({}, ['--version']);
    expect(await exited).toBe(0);
    expect(output()).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('a port in use ends the process with exit code 69, and one line names the setting', async () => {
    const { port } = new URL(sandbox.url);
    const { exited, output } = spawnMain({ ...upstreamEnv(sandbox), PORT: port, SENDGATE_MANAGEMENT_PORT: '0' });
    expect(await exited).toBe(69);
    const line = `sendgate: server.port (PORT): port ${port} of 127.0.0.1 is in use (EADDRINUSE); allowed: a free port`;
    const toPeople = output()
      .split('\n')
      .filter((one) => !one.startsWith('{') && one !== '');
    expect(toPeople).toEqual([line]);
  });

  test.each(['1', '2'])(
    'it runs from a folder with blanks and other characters in its name, with %s workers',
    async (workers) => {
      const root = join(import.meta.dirname, '..');
      const cache = join(root, 'node_modules/.cache'); // Where packages are found.
      mkdirSync(cache, { recursive: true });
      const installed = mkdtempSync(join(cache, 'a b ü '));
      for (const part of ['dist', 'package.json']) cpSync(join(root, part), join(installed, part), { recursive: true });
      const env = { ...upstreamEnv(sandbox), SENDGATE_WORKERS: workers };
      const { url, stop } = await startProcess(env, join(installed, 'dist/main.js'));
      expect((await fetch(`${url}/campaigns/1/sends`)).status).toBe(200);
      expect(await stop()).toBe(0);
      rmSync(installed, { recursive: true });
    },
  );

  test('a missing access token is logged', async () => {
    const sendgate = await startProcess({ ...upstreamEnv(sandbox), CONSTANT_CONTACT_ACCESS_TOKEN: '' });
    await sendgate.stop();
    expect(sendgate.output()).toContain('"event":"secret.no_access_token"');
  });
});

describe('a signal during the start', () => {
  /** Holds a storage directory. `waits` resolves when a process waits for it. */
  async function holdDirectory() {
    const directory = mkdtempSync(join(folder, 'held-'));
    const waiting = new Set<Socket>();
    const server = createServer((socket) => waiting.add(socket));
    server.listen(join(directory, 'lock'));
    const waits = once(server, 'connection');
    const release = () => {
      rmSync(join(directory, 'lock'));
      server.close();
      for (const socket of waiting) socket.destroy();
    };
    return { env: { SENDGATE_STORAGE_DIRECTORY: directory }, waits, release };
  }
  const env = () => ({ ...upstreamEnv(sandbox), PORT: '0', SENDGATE_MANAGEMENT_PORT: '0' });

  test.each([
    ['SIGTERM', '1'],
    ['SIGINT', '2'],
  ] as const)('ends the wait for the storage directory (%s, %s processes)', async (signal, workers) => {
    const held = await holdDirectory();
    const { child, exited, output } = spawnMain({ ...env(), ...held.env, SENDGATE_WORKERS: workers });
    await held.waits;
    const from = performance.now();
    child.kill(signal);
    expect(await exited).toBe(0);
    expect(performance.now() - from).toBeLessThan(8_000);
    expect(output()).toBe('');
    held.release();
  });

  /** Starts a Sendgate and signals it once it handles signals. Returns what it printed. */
  async function signalled(): Promise<string> {
    const { child, exited, output } = spawnMain(env());
    const caught = () => BigInt(`0x${/SigCgt:\s*(\w+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]}`);
    // Node itself handles SIGTERM from its start, and no SIGHUP.
    await until(() => (caught() & 1n) === 1n, 'SIGHUP is handled');
    child.kill('SIGHUP');
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    return output();
  }

  test('ends the process before it listens, as soon as it loads its modules', async () => {
    // On a busy machine the signal may come after the start.
    let output = await signalled();
    for (let tries = 1; tries < 10 && output.includes('service.listening'); tries++) output = await signalled();
    expect(output).not.toContain('service.listening');
  });

  test('is a reload after the start if it is SIGHUP', async () => {
    const held = await holdDirectory();
    const { child, exited, output } = spawnMain({ ...env(), ...held.env });
    await held.waits;
    child.kill('SIGHUP');
    held.release();
    await until(() => output().includes('"event":"config.unchanged"'), 'it is reloaded');
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });
});

describe('on SIGTERM', () => {
  test('requests in flight are answered, idle connections closed, and the exit code is 0', async () => {
    const sendgate = await startProcess({ ...upstreamEnv(sandbox) });
    await (await fetch(`${sendgate.url}/campaigns/1/sends`)).text(); // leaves an idle connection behind
    sandbox.forget();
    sandbox.fault({ kind: 'latency', ms: 700, times: 1 });
    const inFlight = fetch(`${sendgate.url}/campaigns/2/sends`);
    await until(() => sandbox.callCount === 1, 'the call is made');

    const exited = sendgate.stop();
    await until(async () => (await fetch(`${sendgate.managementUrl}/readyz`)).status === 503, 'it says that it drains');
    await expect(fetch(`${sendgate.url}/campaigns/1/sends`)).rejects.toThrow();
    expect((await inFlight).status).toBe(200);
    expect(await exited).toBe(0);
    expect(sendgate.output()).toContain('stopped');
  });

  test('npm start passes the signal on: Sendgate drains, and npm ends with its exit code', async () => {
    const env = { ...upstreamEnv(sandbox), PATH: process.env['PATH'], PORT: '0', SENDGATE_MANAGEMENT_PORT: '0' };
    // In a process group, which ends whatever is left of it.
    const npm = spawn('npm', ['start'], { env, detached: true });
    let output = '';
    npm.stdout.on('data', (data) => {
      output += data;
    });
    const exited = once(npm, 'exit');
    try {
      await until(() => output.includes('service.listening'), 'it listens');
      npm.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
      await until(() => output.includes('service.stopped'), 'its last line is read');
    } finally {
      try {
        process.kill(-(npm.pid ?? 0), 'SIGKILL');
      } catch {
        // Nothing is left.
      }
    }
  });

  test('every request has its line in the log', async () => {
    const sendgate = await startProcess({ ...upstreamEnv(sandbox) });
    const ask = async () => (await fetch(`${sendgate.url}/campaigns/5/sends`)).text();
    await Promise.all(Array.from({ length: 500 }, ask)); // More than is gathered before it is written.
    expect(await sendgate.stop()).toBe(0);
    expect(sendgate.output().match(/"route":"\/campaigns\/:id\/sends"/g)).toHaveLength(500);
  });

  test('requests that do not finish are cut off in time', async () => {
    const sendgate = await startProcess({
      ...upstreamEnv(sandbox),
      SENDGATE_SERVER_DRAIN_TIMEOUT_MS: '200',
    });
    sandbox.forget();
    sandbox.fault({ kind: 'hang', times: 1 });
    const inFlight = fetch(`${sendgate.url}/campaigns/3/sends`).catch(() => 'cut off');
    await until(() => sandbox.callCount === 1, 'the call is made');
    expect(await sendgate.stop()).toBe(0);
    expect(await inFlight).toBe('cut off');
  });

  test('a second signal ends the process at once', async () => {
    const sendgate = await startProcess({ ...upstreamEnv(sandbox) });
    sandbox.forget();
    sandbox.fault({ kind: 'hang', times: 1 });
    const inFlight = fetch(`${sendgate.url}/campaigns/4/sends`).catch(() => 'cut off');
    await until(() => sandbox.callCount === 1, 'the call is made');
    const exited = sendgate.stop();
    await until(() => sendgate.output().includes('service.draining'), 'it drains');
    sendgate.child.kill('SIGTERM');
    expect(await exited).toBe(1);
    expect(await inFlight).toBe('cut off');
  });
});

describe('a mounted key', () => {
  const file = join(folder, 'api-key');
  /** Swaps the file as Kubernetes does: in one rename. */
  const mount = (text: string) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  const env = () => ({
    ...upstreamEnv(sandbox),
    CONSTANT_CONTACT_API_KEY: '',
    CONSTANT_CONTACT_API_KEY_FILE: file,
  });

  test.each([
    ['on SIGHUP', (hup: () => void) => hup()],
    ['when its file changes', () => {}],
  ])('is reloaded %s and used from the next call', async (_, signal) => {
    mount('old-key-00001\n');
    const sendgate = await startProcess(env());
    const refused = await fetch(`${sendgate.url}/campaigns/5/sends`);
    expect(refused.status).toBe(502);
    mount(`${apiKey}\n`);
    signal(() => sendgate.child.kill('SIGHUP'));
    await until(async () => (await fetch(`${sendgate.url}/campaigns/5/sends`)).status === 200, 'the new key is used');
    await sendgate.stop();
    expect(sendgate.output()).toContain('secret.replaced');
    expect(sendgate.output()).not.toContain(apiKey);
    expect(sendgate.output()).not.toContain('old-key-00001');
  });

  test('that becomes unreadable stays in use, and the log says so', async () => {
    mount(apiKey);
    const sendgate = await startProcess(env());
    mount('');
    sendgate.child.kill('SIGHUP');
    await until(() => sendgate.output().includes('"event":"secret.unreadable"'), 'the log says so');
    expect((await fetch(`${sendgate.url}/campaigns/6/sends`)).status).toBe(200);
    await sendgate.stop();
  });
});

test("the day's count survives a kill at the moment in which Constant Contact gets the call", async () => {
  const file = join(folder, 'quota.json');
  const env = { ...upstreamEnv(sandbox), SENDGATE_QUOTA_STATE_FILE: file };
  const callsToday = async (url: string) =>
    ((await (await fetch(`${url}/status`)).json()) as { upstream: { callsToday: number } }).upstream.callsToday;
  const first = await startProcess(env);
  for (const id of [7, 8]) expect((await fetch(`${first.url}/campaigns/${id}/sends`)).status).toBe(200);
  const killed = new Promise((resolve) => first.child.once('close', resolve));
  const kill = (message: unknown) => {
    const { port } = (message as { request: IncomingMessage }).request.socket.address() as AddressInfo;
    if (port === Number(new URL(sandbox.url).port)) first.child.kill('SIGKILL');
  };
  subscribe('http.server.request.start', kill);
  await expect(fetch(`${first.url}/campaigns/9/sends`)).rejects.toThrow();
  unsubscribe('http.server.request.start', kill);
  await killed;
  const second = await startProcess(env);
  expect(await callsToday(second.managementUrl)).toBe(3);
  await fetch(`${second.url}/campaigns/7/sends`);
  expect(await callsToday(second.managementUrl)).toBe(4);
  await second.stop();
});

test('half a request and garbage get a response, and affect no other caller', async () => {
  const sendgate = await startProcess({
    ...upstreamEnv(sandbox),
    SENDGATE_SERVER_HEADERS_TIMEOUT_MS: '200',
    SENDGATE_SERVER_REQUEST_TIMEOUT_MS: '400',
  });
  const { hostname, port } = new URL(sendgate.url);
  const talk = (text: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.write(text));
      let answer = '';
      socket.on('data', (data) => {
        answer += data;
      });
      socket.on('error', () => resolve(answer));
      socket.on('close', () => resolve(answer));
    });
  expect(await talk('GARBAGE\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
  expect(await talk(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 431 /,
  );
  expect(await talk('GET / HTTP/1.1\r\nHost: localhost\r\n')).toMatch(/^HTTP\/1.1 408 /);
  expect(await talk('GET / HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
  expect(await talk('GET / HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 421 /);
  expect((await fetch(`${sendgate.url}/campaigns/7/sends`)).status).toBe(200);
  expect(await sendgate.stop()).toBe(0);
  expect(sendgate.output()).not.toContain(accessToken);
});
