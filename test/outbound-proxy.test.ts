/**
 * The way out through a forward proxy: what is read from the environment, and a real proxy that asks for credentials.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { readTokens } from '../src/upstream/oauth/token-file.ts';
import { type Network, startNetwork } from './support/forward-proxy.ts';
import { type Environment, oauth, startProcess, startSandbox, until, upstreamEnv } from './support/harness.ts';

const [user, password] = ['sendgate-out', 'pr0xy-5ecret'];

describe('a network whose way out is a proxy with credentials', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sendgate-out-'));
  let sandbox: Sandbox;
  let network: Network;
  let env: Environment;
  beforeAll(async () => {
    sandbox = await startSandbox({ oauth: { ...oauth, intervalSeconds: 1 } });
    sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
    sandbox.campaign({ id: '2', size: 500, newestMs: Date.now() });
    network = await startNetwork(sandbox, user, password);
    env = { ...upstreamEnv(sandbox, 'v3'), ...network.env };
  });
  afterAll(async () => {
    await network.stop();
    await sandbox.stop();
    rmSync(folder, { recursive: true });
  });
  const through = (secret: string) => `http://${user}:${secret}@${network.proxyHost}`;

  test('the device flow goes through it', async () => {
    const tokenFile = join(folder, 'authorized.json');
    const { CONSTANT_CONTACT_REFRESH_TOKEN: _, ...rest } = env;
    const child = spawn(process.execPath, ['dist/authorize.js'], {
      env: { ...rest, CONSTANT_CONTACT_TOKEN_FILE: tokenFile, HTTPS_PROXY: through(password) },
    });
    let screen = '';
    child.stdout.on('data', (part) => {
      screen += part;
    });
    const exited = once(child, 'close');
    await until(() => screen.includes('SAND-BOXX'), 'it waits');
    sandbox.oauth?.decide('approve');
    expect((await exited)[0]).toBe(0);
    expect(screen).toContain('It works: Constant Contact answers.');
    expect(readTokens(tokenFile, oauth.clientId)).toBeDefined();
    expect([...new Set(network.connects())]).toEqual([
      'authz.constantcontact.test:443',
      'api.constantcontact.test:443',
    ]);
  });

  test('so do refreshes and calls, which share a tunnel', async () => {
    const [before, callsBefore] = [network.connects().length, sandbox.calls.length];
    const sendgate = await startProcess({ ...env, https_proxy: through(password) });
    for (const path of ['/campaigns/1/sends', '/campaigns/1/opens', '/campaigns/2/sends']) {
      expect((await fetch(`${sendgate.url}${path}`)).status).toBe(200);
    }
    expect(await sendgate.stop()).toBe(0);
    const connects = network.connects().slice(before);
    expect(new Set(connects)).toEqual(new Set(['authz.constantcontact.test:443', 'api.constantcontact.test:443']));
    expect(connects.length).toBeLessThan(sandbox.calls.length - callsBefore);
    expect(sendgate.output()).toContain(`"event":"outbound_proxy.used","proxy":"${network.proxyHost}"`);
    expect(sendgate.output()).not.toContain(password);
  });
});
