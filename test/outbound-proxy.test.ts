/**
 * The way out through a forward proxy: what is read from the environment, and a real proxy that asks for credentials.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { effectiveConfig } from '../src/config/effective.ts';
import { loadConfig } from '../src/config/load.ts';
import { Mistakes } from '../src/config/mistakes.ts';
import { nameOf, proxyFor, readOutboundProxies } from '../src/config/outbound-proxy.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { readTokens } from '../src/upstream/oauth/token-file.ts';
import { type Network, startNetwork, startStub } from './support/forward-proxy.ts';
import {
  apiKey,
  type Environment,
  oauth,
  spawnMain,
  startProcess,
  startSandbox,
  until,
  upstreamEnv,
} from './support/harness.ts';

const [user, password] = ['sendgate-out', 'pr0xy-5ecret'];

/** What is read, and what is wrong with it. */
function read(env: Environment) {
  const mistakes = new Mistakes([]);
  const warnings: string[] = [];
  return { ...readOutboundProxies(env, { mistakes, warnings }), mistakes: mistakes.all, warnings };
}
const target = 'https://api.constantcontact.test';
/** Host and port of the proxy to `target`. */
const proxyOf = (env: Environment, url = target) => {
  const proxy = proxyFor(url, read(env));
  return proxy && nameOf(proxy);
};

describe('the variables', () => {
  test.each([
    ['HTTPS_PROXY', { HTTPS_PROXY: 'http://a:1', HTTP_PROXY: 'http://b:2' }, 'a:1'],
    ['its lower-case form before it', { HTTPS_PROXY: 'http://a:1', https_proxy: 'http://c:3' }, 'c:3'],
    ['HTTP_PROXY without it', { HTTP_PROXY: 'http://b:2' }, 'b:2'],
    ['an empty one as none', { https_proxy: '', HTTPS_PROXY: 'http://a:1', NO_PROXY: '' }, 'a:1'],
    ['a proxy without a scheme', { HTTPS_PROXY: 'user:word@proxy.example.com:3128' }, 'proxy.example.com:3128'],
    ['an IPv6 address', { HTTPS_PROXY: 'http://[2001:db8::1]:3128' }, '[2001:db8::1]:3128'],
    ['the default port of http:', { HTTPS_PROXY: 'http://proxy' }, 'proxy:80'],
    ['the default port of https:', { HTTPS_PROXY: 'https://proxy/' }, 'proxy:443'],
  ] as const)('give %s', (_, env, proxy) => {
    expect([proxyOf(env), read(env).mistakes]).toEqual([proxy, []]);
  });

  test.each(['none', 'false', 'DIRECT', 'proxy.example.com', 'user:word@proxy.example.com'])(
    'that hold %s are a mistake: it could be a word that other programs know',
    (https_proxy) => {
      expect(read({ https_proxy }).mistakes).toEqual([
        expect.stringMatching(/^https_proxy: has neither a scheme nor a port; allowed: http/),
      ]);
    },
  );

  test.each(['"http://proxy:3128"', "'http://proxy:3128'", '""'])(
    'that hold %s are a mistake, which names the quotes',
    (HTTPS_PROXY) => {
      expect(read({ HTTPS_PROXY }).mistakes).toEqual([expect.stringMatching(/^HTTPS_PROXY: is in quotes/)]);
    },
  );

  test('may hold any password, percent-encoded', () => {
    const { proxy } = read({ HTTPS_PROXY: `http://me:${encodeURIComponent('p@ss/w:rd#1')}@proxy:3128` });
    expect(proxy?.authorization).toBe(`Basic ${Buffer.from('me:p@ss/w:rd#1').toString('base64')}`);
  });

  test.each([
    'socks5://me:pr0xy-5ecret@proxy:1080',
    'http://me:pr0xy-5ecret@proxy:3128/path',
    'http://me:pr0xy-5ecret%zz@proxy:3128',
    'http://me:pr0xy-5ecret#1@proxy:3128',
    'http://me:pr0xy-5ecret?1@proxy:3128',
    'http://me:pr0xy-5ecret@proxy:99999',
    'http://me:pr0xy-5ecret@proxy:0',
    'http://me:pr0xy-5ecret@',
    'http://',
  ])('that hold %s are a mistake, without the value', (HTTPS_PROXY) => {
    const env = { HTTPS_PROXY, CONSTANT_CONTACT_API_KEY: apiKey };
    expect(() => loadConfig(env, () => '')).toThrow(/a mistake:\n {2}- HTTPS_PROXY: is not valid; allowed: http:\/\//);
    expect(() => loadConfig(env, () => '')).not.toThrow(/5ecret/);
  });

  test('are in the effective configuration, without credentials', () => {
    const loaded = loadConfig(
      {
        HTTPS_PROXY: `http://${user}:${password}@proxy:3128`,
        NO_PROXY: 'authz.constantcontact.com',
        ...{ CONSTANT_CONTACT_API: 'v3', CONSTANT_CONTACT_CLIENT_ID: oauth.clientId },
        ...{ CONSTANT_CONTACT_TOKEN_FILE: '/tokens', CONSTANT_CONTACT_REFRESH_TOKEN: oauth.refreshToken },
      },
      () => '',
    );
    const effective = effectiveConfig(loaded);
    expect(effective.outboundProxy).toEqual({
      'https://api.cc.email': 'proxy:3128',
      'https://authz.constantcontact.com': '(none)',
    });
    for (const secret of [user, password]) expect(JSON.stringify(effective)).not.toContain(secret);
  });
});

describe('NO_PROXY', () => {
  /** As curl decides, to which its direct connections are refused. */
  test.each([
    ['https://api.example.test', 'example.test'],
    ['https://api.example.test', '.example.test'],
    ['https://example.test', '.example.test'],
    ['https://notexample.test', 'example.test'],
    ['https://api.example.test', 'API.example.test'],
    ['https://api.example.test', 'api.example.test.'],
    ['https://api.example.test', 'other.test, api.example.test'],
    ['https://api.example.test', 'other.test api.example.test'],
    ['https://api.example.test', '*'],
    ['https://api.example.test', '10.0.0.0/8,other.test'],
    ['https://10.1.2.3', '10.0.0.0/8'],
    ['https://11.1.2.3', '10.0.0.0/8'],
    ['https://10.1.2.3', '10.1.2.3'],
    ['https://[2001:db8::1]', '2001:db8::1'],
  ])('decides as curl does: %s, %s', async (url, noProxy) => {
    const stub = await startStub((socket) => void socket.end());
    const env = { https_proxy: `http://127.0.0.1:${stub.port}`, NO_PROXY: noProxy };
    await new Promise((resolve) => execFile('curl', ['-gs', '--connect-to', '::127.0.0.1:1', url], { env }, resolve));
    stub.stop();
    expect(proxyOf(env, url) !== undefined).toBe(stub.accepted > 0);
  });

  test.each([
    ['a port', 'https://api.example.test:8443', 'example.test:8443', false],
    ['another port', 'https://api.example.test:8443', 'example.test:443', true],
    ['the default port', 'https://api.example.test', 'example.test:443', false],
    ['a port of IPv6', 'https://[2001:db8::1]:8443', '[2001:db8::1]:8443', false],
    ['a range of IPv6', 'https://[2001:db8::1]', '2001:db8::/32', false],
    ['an asterisk before a name', 'https://api.example.test', '*.example.test', false],
    ['an asterisk in a list', 'https://api.example.test', 'other.test,*', false],
    ['nonsense', 'https://10.1.2.3', '10.0.0.0/99,:,.,/', true],
  ])('may have %s', (_, url, NO_PROXY, isProxied) => {
    expect(proxyOf({ HTTPS_PROXY: 'http://proxy', NO_PROXY }, url) !== undefined).toBe(isProxied);
  });

  test.each([
    ['"a.test,b.test"', 'in quotes'],
    ["a.test,'b.test'", 'in quotes'],
    ['https://a.test', 'a URL'],
    ['a.test;b.test', 'semicolon'],
    ['a.test:99999', 'not valid'],
    ['10.0.0.0/99', 'not valid'],
    ['a.test/24', 'not valid'],
    ['10.*', 'not valid'],
    ['[2001:db8::]/32', 'not valid'],
    ['<local>,.,:', 'not valid'],
  ])('has a warning for what has no effect in %s', (no_proxy, fault) => {
    const { warnings } = read({ HTTPS_PROXY: 'http://proxy', no_proxy });
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^no_proxy: .*${fault}.*no effect; allowed: `))]);
    expect(read({ no_proxy }).warnings).toEqual([]);
  });

  test.each([
    '*,localhost,.example.test,*.example.test,example.test.:443,a_b',
    '10.0.0.0/8,0.0.0.0/0,10.1.2.3:8443,::1,[::1],[::1]:443,2001:db8::/32',
  ])('has no warning for what has an effect: %s', (NO_PROXY) => {
    expect(read({ HTTPS_PROXY: 'http://proxy', NO_PROXY }).warnings).toEqual([]);
  });

  test.each(['http://127.0.0.1:3000', 'http://localhost:3000', 'https://[::1]'])('need not name %s', (url) => {
    expect(proxyOf({ HTTPS_PROXY: 'http://proxy', HTTP_PROXY: 'http://proxy' }, url)).toBeUndefined();
  });
});

describe('a network whose way out is a proxy with credentials', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sendgate-out-'));
  const authorizedFile = join(folder, 'authorized.json');
  const targets = ['authz.constantcontact.test:443', 'api.constantcontact.test:443'];
  let sandbox: Sandbox;
  let network: Network;
  let env: Environment;
  beforeAll(async () => {
    sandbox = await startSandbox({ oauth: { ...oauth, intervalSeconds: 1 } });
    sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
    sandbox.campaign({ id: '2', size: 3, newestMs: Date.now() });
    network = await startNetwork(sandbox, user, password);
    env = { ...upstreamEnv(sandbox, 'v3'), ...network.env };
  });
  afterAll(async () => {
    await network.stop();
    await sandbox.stop();
  });
  const through = (secret: string) => `http://${user}:${secret}@${network.proxyHost}`;

  function authorize(HTTPS_PROXY: string) {
    const { CONSTANT_CONTACT_REFRESH_TOKEN: _, ...rest } = env;
    const child = spawn(process.execPath, ['dist/authorize.js'], {
      env: { ...rest, CONSTANT_CONTACT_TOKEN_FILE: authorizedFile, HTTPS_PROXY },
    });
    let screen = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (part) => {
        screen += part;
      });
    }
    const exited = once(child, 'close').then(([code]) => code as number);
    return { exited, screen: () => screen };
  }

  test('the device flow goes through it, also with TLS to the proxy', async () => {
    const { exited, screen } = authorize(
      through(password).replace(`http://`, 'https://').replace(network.proxyHost, network.tlsProxyHost),
    );
    await until(() => screen().includes('SAND-BOXX'), 'it waits');
    sandbox.oauth?.decide('approve');
    expect(await exited).toBe(0);
    expect(screen()).toContain('It works: Constant Contact answers.');
    expect(readTokens(authorizedFile, oauth.clientId)).toBeDefined();
    expect([...new Set(network.connects())]).toEqual([
      'authz.constantcontact.test:443',
      'api.constantcontact.test:443',
    ]);
  });

  test('the device flow says so if it wants credentials', async () => {
    const { exited, screen } = authorize(`http://${network.proxyHost}`);
    expect(await exited).toBe(1);
    expect(screen()).toContain(
      `The proxy ${network.proxyHost} requires credentials, or others (HTTP 407): put a user and a password`,
    );
  });

  test('so does the doctor, with the stored tokens', async () => {
    const { child, exited, output } = spawnMain(
      {
        ...env,
        ...{ CONSTANT_CONTACT_TOKEN_FILE: authorizedFile, HTTPS_PROXY: through(password) },
        ...{ PORT: '0', SENDGATE_MANAGEMENT_PORT: '0' },
      },
      ['--check-config', '--connect'],
    );
    expect([await exited, child.killed]).toEqual([0, false]);
    expect(output()).toContain(`proxy to Constant Contact: ${network.proxyHost} is used`);
    expect(output()).toContain('TLS to the token endpoint: the certificate is trusted');
    expect(output()).not.toContain(password);
  });

  test('so do refreshes and calls, which share a tunnel', async () => {
    const before = network.connects().length;
    const sendgate = await startProcess({ ...env, https_proxy: through(password) });
    const statusOf = async (path: string) => (await fetch(`${sendgate.url}${path}`)).status;
    const reports = ['sends', 'opens', 'clicks', 'bounces', 'forwards', 'unsubscribes'];
    for (const report of reports) expect(await statusOf(`/campaigns/1/${report}`)).toBe(200);
    sandbox.fault({ kind: 'oversize', times: 1 });
    expect(await statusOf('/campaigns/2/opens')).toBe(502);
    expect(await sendgate.stop()).toBe(0);
    const connects = network.connects().slice(before);
    expect(new Set(connects)).toEqual(new Set(targets));
    // Two are the checks at start, and one is the refresh. A tunnel for each call would make ten.
    expect(connects.length).toBeLessThan(8);
    expect(sendgate.output()).toContain(`"event":"outbound_proxy.used","proxy":"${network.proxyHost}"`);
    expect(sendgate.output()).toContain('"outcome":"too-large"');
    expect(sendgate.output()).not.toContain('check_failed');
    expect(sendgate.output()).not.toContain(password);
  });

  test('wrong credentials are reported by the proxy and its status, and nothing leaks', async () => {
    const wrong = 'wr0ng-5ecret+/';
    const sendgate = await startProcess({
      ...{ ...env, ...upstreamEnv(sandbox, 'v3'), ...network.env },
      HTTPS_PROXY: through(encodeURIComponent(wrong)),
    });
    const answers = await Promise.all(
      [
        `${sendgate.url}/campaigns/1/sends`,
        `${sendgate.managementUrl}/metrics`,
        `${sendgate.managementUrl}/status`,
      ].map(async (url) => (await fetch(url)).text()),
    );
    expect(JSON.parse(answers[0] ?? '')).toMatchObject({ status: 502 });
    expect(await sendgate.stop()).toBe(0);
    expect(sendgate.output()).toContain(
      `"event":"outbound_proxy.failed","proxy":"${network.proxyHost}","code":"PROXY_401"`,
    );
    const basic = Buffer.from(`${user}:${wrong}`).toString('base64');
    for (const secret of [wrong, encodeURIComponent(wrong), basic, 'Unauthorized']) {
      expect([sendgate.output(), ...answers].join()).not.toContain(secret);
    }
  });
});
