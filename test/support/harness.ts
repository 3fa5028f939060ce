/**
 * A Sendgate in front of a sandbox, over real HTTP.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from '@jest/globals';
import type { Service } from '../../src/compose/run.ts';
import { startService } from '../../src/compose/service.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Send } from '../../src/model/sends.ts';
import { Sandbox, type SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { activityIdOf } from '../../src/sandbox/v3.ts';
import { refreshTokens } from '../../src/upstream/oauth/refresh.ts';
import { ForwardClock, type TestClock } from './clock.ts';

/** The version of Constant Contact's API that is behind Sendgate: suites of the contract run with each. */
export const api = (globalThis as { api?: 'v2' | 'v3' }).api ?? 'v2';

export const apiKey = 'key-5ecret+/Zq1';
export const accessToken = 'token-5ecret.Xw9~';
export const oauth = {
  clientId: 'client-5ecret-8d1f',
  clientSecret: 'client-5ecret+/Kp2',
  refreshToken: 'refresh-5ecret.Lm4~',
};

/** The id by which callers ask for a campaign. */
export const idOf = (id: string) => (api === 'v3' ? activityIdOf(id) : id);
/** A target with the ids of campaigns as callers have them. */
export const targetOf = (path: string) => path.replace(/(?<=\/campaigns\/)\d+(?=\/)/, idOf);

/** The cursor that callers have for one that Constant Contact knows. */
export const cursorOf = (next: string, version = api) =>
  version === 'v3' ? Buffer.from(`next=${encodeURIComponent(next)}`).toString('base64url') : next;

const folder = mkdtempSync(join(tmpdir(), 'sendgate-'));
let tokenFiles = 0;

/** What makes Sendgate call this sandbox. */
export function upstreamEnv(sandbox: Sandbox, version = api): Environment {
  const env = { CONSTANT_CONTACT_BASE_URL: sandbox.url, CONSTANT_CONTACT_API: version };
  if (version === 'v2') return { ...env, CONSTANT_CONTACT_API_KEY: apiKey, CONSTANT_CONTACT_ACCESS_TOKEN: accessToken };
  return {
    ...env,
    CONSTANT_CONTACT_CLIENT_ID: oauth.clientId,
    CONSTANT_CONTACT_CLIENT_SECRET: oauth.clientSecret,
    CONSTANT_CONTACT_REFRESH_TOKEN: oauth.refreshToken,
    CONSTANT_CONTACT_TOKEN_URL: `${sandbox.url}/oauth2/default/v1/token`,
    CONSTANT_CONTACT_TOKEN_FILE: join(folder, `tokens-${tokenFiles++}.json`),
  };
}

export type Environment = Record<string, string>;

/** Free ports, and limits that do not interfere with other tests. */
const roomy: Environment = {
  PORT: '0',
  SENDGATE_MANAGEMENT_PORT: '0',
  SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000',
  SENDGATE_QUOTA_PER_SECOND: '1000',
};

export interface PageJson {
  readonly meta: { readonly pagination: { readonly next_link?: string } };
  readonly results: readonly Send[];
}

export interface Harness {
  readonly sandbox: Sandbox;
  readonly service: Service;
  readonly clock: TestClock;
  readonly url: string;
  /** Log lines so far. */
  readonly lines: string[];
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  page(path: string): Promise<PageJson>;
  close(): Promise<void>;
}

const readFile = (path: string) => readFileSync(path, 'utf8');

export async function startSandbox(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  return new Sandbox({ apiKey, accessToken, oauth, ...options }).start();
}

export async function start(
  env: Environment = {},
  sandboxOptions: Partial<SandboxOptions> = {},
  version = api,
  clock: TestClock = new ForwardClock(),
): Promise<Harness> {
  const sandbox = await startSandbox({ clock, ...sandboxOptions });
  const harness = await startInstance(sandbox, clock, env, version);
  return {
    ...harness,
    close: async () => {
      await harness.close();
      await sandbox.stop();
    },
  };
}

/** A Sendgate in front of a sandbox that others may be in front of, too. `close` leaves the sandbox running. */
export async function startInstance(
  sandbox: Sandbox,
  clock: TestClock,
  env: Environment = {},
  version = api,
): Promise<Harness> {
  const lines: string[] = [];
  const write = (text: { toString(): string }) => void lines.push(...text.toString().split(/(?<=\n)/));
  const loaded = loadConfig({ ...roomy, ...upstreamEnv(sandbox, version), ...env }, readFile);
  const service = await startService(loaded, {
    clock,
    readFile,
    logDestination: { lostBytes: 0, write, pass: write, close: async () => true },
    version: 'test',
    refreshTokens: (order) => refreshTokens(order, { now: () => clock.now() }),
  });
  return {
    sandbox,
    service,
    clock,
    url: service.url,
    lines,
    ...asking(service.url),
    close: () => {
      const stopped = service.stop();
      clock.forward(0.5); // The grace of idle connections, of which this process has many.
      return stopped;
    },
  };
}

function asking(url: string): Pick<Harness, 'get' | 'page'> {
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${url}${targetOf(path)}`, { headers });
  return { get, page: async (path) => (await (await get(path)).json()) as PageJson };
}

export interface SendgateProcess {
  readonly url: string;
  readonly managementUrl: string;
  readonly child: ChildProcessWithoutNullStreams;
  /** All of stdout and stderr so far. */
  output(): string;
  /** Ends it with SIGTERM. Resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** A test that fails leaves its process behind; the file that it is in does not. */
const children = new Set<ChildProcessWithoutNullStreams>();
afterAll(() => {
  const killLeftovers = () => {
    for (const child of children) child.kill('SIGKILL');
  };
  setTimeout(killLeftovers, 3_000).unref();
});

const mainFile = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Runs `dist/main.js` with only this environment. @param main another copy of it */
export function spawnMain(env: Environment, args: readonly string[] = [], main = mainFile) {
  const child = spawn(process.execPath, [main, ...args], { env });
  children.add(child);
  child.once('close', () => children.delete(child));
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    output += data;
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { child, exited, output: () => output };
}

/** Starts the process that `npm start` starts, and waits until it listens. */
export async function startProcess(env: Environment, main = mainFile): Promise<SendgateProcess> {
  const { child, exited, output } = spawnMain({ ...roomy, ...env }, [], main);
  const listening = /"url":"([^"]+)","managementUrl":"([^"]+)"/;
  for (let tries = 0; !listening.test(output()); tries++) {
    if (tries > 1_600 || child.exitCode !== null) throw new Error(`did not start: ${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const [, url = '', managementUrl = ''] = listening.exec(output()) ?? [];
  return {
    url,
    managementUrl,
    child,
    output,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

/** Polls until `test` holds, up to forty seconds, since a machine may stall for some. */
export async function until(test: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endsAt = performance.now() + 40_000;
  while (!(await test())) {
    if (performance.now() > endsAt) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
