import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { generated } from '../config/generate.ts';
import { ConfigError } from '../src/config/config-error.ts';
import { effectiveConfig } from '../src/config/effective.ts';
import { loadConfig, secretValuesOf } from '../src/config/load.ts';
import { settings } from '../src/config/settings.ts';

const key = { CONSTANT_CONTACT_API_KEY: 'key-123456789' };
const onePort = { PORT: '8000', SENDGATE_MANAGEMENT_PORT: '8000' };
const named = { SENDGATE_SERVER_ALLOWED_HOSTS: 'x.example' };
const files: Record<string, string> = {
  'good.json': '{"$schema":"./schema.json","cache":{"maxBytes":2097152},"server":{"port":9000},"log":{"level":"warn"}}',
  'secret.json': '{"constantContact":{"apiKey":"in-the-file","accessToken":"too","timeoutMs":5}}',
  'broken.json': '{"cache":',
  'list.json': '[]',
  'odd.json': '{"cache":7,"servr":{},"quota":{"perSecnd":1}}',
  'key.txt': 'key-from-file\n',
  'empty.txt': '\n',
  'keys.txt': `${Buffer.alloc(32).toString('base64')}\n`,
  'redis.txt': 'rediss://:pass@redis.example\n',
};
const readFile = (path: string) => {
  const text = files[path];
  if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
  return text;
};
const load = (env: Record<string, string>) => loadConfig({ ...key, ...env }, readFile);

function mistakes(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env, readFile);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  throw new Error('taken');
}

describe('the configuration', () => {
  test('has the documented defaults', () => {
    expect(load({}).config).toMatchObject({
      server: { host: '127.0.0.1', port: 8080, allowedHosts: [], basePath: '', trustProxy: [] },
      management: { host: '127.0.0.1', port: 8081 },
      callers: { requestsPerMinute: 300 },
      cache: {
        maxBytes: 268_435_456,
        minFreshSeconds: 60,
        maxFreshSeconds: 86_400,
        staleIfErrorSeconds: 604_800,
        notFoundSeconds: 60,
      },
      constantContact: {
        api: 'v2',
        baseUrl: '',
        oauth: { tokenUrl: 'https://authz.constantcontact.com/oauth2/default/v1/token', tokenFile: '' },
        timeoutMs: 10_000,
        maxResponseBytes: 8_388_608,
      },
      quota: { perSecond: 4 },
      log: { level: 'info' },
    });
  });

  test('prefers the file to defaults, and the environment to the file', () => {
    const { config } = load({ SENDGATE_CONFIG: 'good.json', PORT: '9001', SENDGATE_CACHE_MAX_BYTES: '3000000' });
    expect(config.server.port).toBe(9001);
    expect(config.cache.maxBytes).toBe(3_000_000);
    expect(config.log.level).toBe('warn');
  });

  test("accepts the limits of Constant Contact's partners", () => {
    const { config } = load({ SENDGATE_QUOTA_PER_SECOND: '10', SENDGATE_QUOTA_PER_DAY: '250000' });
    expect(config.quota).toMatchObject({ perSecond: 10, perDay: 250_000 });
  });

  test('splits lists at commas, and ignores empty variables', () => {
    const { config } = load({ SENDGATE_SERVER_ALLOWED_HOSTS: 'a.example, b.example,', HOST: '', SENDGATE_CONFIG: '' });
    expect(config.server.allowedHosts).toEqual(['a.example', 'b.example']);
    expect(config.server.host).toBe('127.0.0.1');
  });

  test.each(settings().map(({ path, variable, preset }) => [variable, path, preset] as const))(
    '%s sets %s',
    (variable, path, preset) => {
      const special: Record<string, string> = {
        HOST: '::1',
        PORT: '9000',
        SENDGATE_MANAGEMENT_HOST: '::1',
        CONSTANT_CONTACT_API: 'v2',
        CONSTANT_CONTACT_BASE_URL: 'https://cc.example',
        CONSTANT_CONTACT_TOKEN_URL: 'https://authz.example/v1/token',
        CONSTANT_CONTACT_TOKEN_FILE: '/var/lib/sendgate/tokens.json',
        SENDGATE_LOG_LEVEL: 'debug',
        SENDGATE_SERVER_BASE_PATH: '/a/b',
        SENDGATE_SERVER_ALLOWED_HOSTS: 'x.example',
        SENDGATE_SERVER_TRUST_PROXY: '10.0.0.0/8,loopback,::1',
        SENDGATE_CALLERS_REQUIRED: 'true',
        SENDGATE_SERVER_DROP_IN_V2: 'true',
        SENDGATE_CALLERS_CORS_ORIGINS: 'https://a.example,http://localhost:3000',
        SENDGATE_TEAMS: '[{"name":"web","weight":2,"requestsPerMinute":9,"networks":["10.0.0.0/8"],"tokensSha256":[]}]',
        SENDGATE_CACHE_ENCRYPTION_KEY_FILE: 'keys.txt',
        SENDGATE_REDIS_KEY_PREFIX: 'another:',
        SENDGATE_QUOTA_STATE_FILE: '/var/lib/sendgate/quota.json',
      };
      const teams = variable === 'SENDGATE_CALLERS_REQUIRED' ? (special['SENDGATE_TEAMS'] ?? '') : '';
      const text = special[variable] ?? String(Number(preset) + 1);
      const value = path
        .split('.')
        .reduce<unknown>(
          (node, name) => (node as Record<string, unknown>)[name],
          load({ SENDGATE_TEAMS: teams, [variable]: text }).config,
        );
      const shown = path === 'teams' ? JSON.stringify(value) : Array.isArray(value) ? value.join(',') : String(value);
      expect(shown).toBe(text);
    },
  );

  test('ignores variables that Kubernetes sets for a service named sendgate', () => {
    expect(() =>
      load({
        SENDGATE_SERVICE_HOST: '10.0.0.1',
        SENDGATE_SERVICE_PORT_HTTP: '80',
        SENDGATE_PORT: 'tcp://10.0.0.1:80',
        SENDGATE_PORT_80_TCP_ADDR: '10.0.0.1',
        SENDGATE_MANAGEMENT_SERVICE_HOST: '10.0.0.2',
        SENDGATE_MANAGEMENT_PORT: 'tcp://10.0.0.2:8081',
        SENDGATE_MANAGEMENT_PORT_8081_TCP: 'tcp://10.0.0.2:8081',
      }),
    ).not.toThrow();
  });
});

test('REDIS_URL is a secret, and a bad one names the allowed forms', () => {
  expect(load({ REDIS_URL_FILE: 'redis.txt' }).secrets.redisUrl?.value).toBe('rediss://:pass@redis.example');
  expect(JSON.stringify(effectiveConfig(load({ REDIS_URL: 'redis://:pass@a' })))).not.toContain('pass');
  const told = mistakes({ ...key, REDIS_URL: 'https://redis.example' });
  expect(told).toEqual([
    expect.stringMatching(/^REDIS_URL: is not valid; allowed: redis:\/\/.*cluster.*\/name; rediss/),
  ]);
});

describe('a bad configuration', () => {
  test('is reported completely: each mistake with its path and the allowed values', () => {
    const all = mistakes({
      SENDGATE_CONFIG: 'odd.json',
      PORT: '99999',
      HOST: '0.0.0.0',
      SENDGATE_CACHE_MAX_BYTES: '1',
      SENDGATE_LOG_LEVEL: 'loud',
      SENDGATE_SERVER_BASE_PATH: 'ctct/',
      SENDGATE_SERVER_ALLOWED_HOSTS: 'https://x.example',
      SENDGATE_SERVER_TRUST_PROXY: 'everyone',
      SENDGATE_CACHE_MIN_FRESH_SECONDS: '100000',
      SENDGATE_CACHE_MAX_FRESH_SECONDS: '1000',
      SENDGATE_TEAM: '1',
    });
    expect(all).toEqual([
      'server.port (PORT): is too large; allowed: an integer from 0 to 65535',
      'server.allowedHosts.0 (SENDGATE_SERVER_ALLOWED_HOSTS): is not valid; allowed: a host name or address without scheme and port, IPv6 in brackets',
      'server.basePath (SENDGATE_SERVER_BASE_PATH): is not valid; allowed: empty, or segments like /ctct, without a slash at the end',
      'server.trustProxy.0 (SENDGATE_SERVER_TRUST_PROXY): is not valid; allowed: an address, a CIDR range, or one of loopback, linklocal, uniquelocal',
      'cache.maxBytes (SENDGATE_CACHE_MAX_BYTES): is too small; allowed: an integer from 1048576 to 1099511627776',
      'cache.minFreshSeconds (SENDGATE_CACHE_MIN_FRESH_SECONDS): is too large; allowed: an integer from 1 to 86400',
      'quota.perSecnd (line 1 of odd.json): is not a setting; did you mean quota.perSecond?',
      'log.level (SENDGATE_LOG_LEVEL): is none of the allowed values; allowed: fatal, error, warn, info, debug, trace, silent',
      'servr (line 1 of odd.json): is not a setting; did you mean server?',
      'CONSTANT_CONTACT_API_KEY: is missing; allowed: the API key, here or in a file named by CONSTANT_CONTACT_API_KEY_FILE',
      'SENDGATE_TEAM: is not a setting; did you mean SENDGATE_TEAMS?',
    ]);
  });

  test.each([
    [
      'a section that is no object',
      { SENDGATE_CONFIG: 'section.json' },
      expect.stringMatching(
        /^cache \(line 1 of section.json\): is a number; allowed: an object with some of maxBytes, /,
      ),
    ],
    [
      'a missing file',
      { SENDGATE_CONFIG: 'none.json' },
      'SENDGATE_CONFIG: the file none.json does not exist (ENOENT); allowed: the path of a JSON file',
    ],
    [
      'a file that is not JSON',
      { SENDGATE_CONFIG: 'broken.json' },
      'SENDGATE_CONFIG: the file broken.json is not JSON: line 1, column 10: a value is missing, or the comma before is one too many; allowed: a JSON object',
    ],
    [
      'a file with a list',
      { SENDGATE_CONFIG: 'list.json' },
      'SENDGATE_CONFIG: the file list.json is not a JSON object; allowed: { "server": { … }, … }',
    ],
    [
      'a text for a number',
      { PORT: 'http' },
      'server.port (PORT): is not an integer; allowed: an integer from 0 to 65535',
    ],
    [
      'an http: upstream',
      { CONSTANT_CONTACT_BASE_URL: 'http://api.example' },
      'constantContact.baseUrl (CONSTANT_CONTACT_BASE_URL): is not valid; allowed: an https: URL without path, query and credentials; http: for loopback only',
    ],
    [
      'an upstream with a path',
      { CONSTANT_CONTACT_BASE_URL: 'https://api.example/v2' },
      expect.stringContaining('constantContact.baseUrl'),
    ],
    [
      'an upstream with a user',
      { CONSTANT_CONTACT_BASE_URL: 'https://u:p@api.example' },
      expect.stringContaining('constantContact.baseUrl'),
    ],
    ['trust in everyone', { SENDGATE_SERVER_TRUST_PROXY: '0.0.0.0/0' }, expect.stringContaining('server.trustProxy')],
    ['an invalid range', { SENDGATE_SERVER_TRUST_PROXY: '10.0.0.0/33' }, expect.stringContaining('server.trustProxy')],
    [
      'a minimum above its maximum',
      { SENDGATE_CACHE_MIN_FRESH_SECONDS: '100', SENDGATE_CACHE_MAX_FRESH_SECONDS: '99' },
      'cache.minFreshSeconds (SENDGATE_CACHE_MIN_FRESH_SECONDS): is over cache.maxFreshSeconds; allowed: at most that',
    ],
    [
      'a timeout past the deadline',
      { SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '30000' },
      'constantContact.timeoutMs (SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS): is over constantContact.deadlineMs; allowed: at most that',
    ],
    [
      'a team without a way to recognise it',
      { SENDGATE_TEAMS: '[{"name":"a"}]' },
      'teams.0 (SENDGATE_TEAMS): matches no caller; allowed: at least one of networks, header and tokensSha256',
    ],
    [
      'a team name used twice',
      { SENDGATE_TEAMS: '[{"name":"a","networks":["::1"]},{"name":"a","networks":["10.0.0.0/8"]}]' },
      'teams.1.name (SENDGATE_TEAMS): is used twice; allowed: a name that no other team has',
    ],
    [
      'a team called default',
      { SENDGATE_TEAMS: '[{"name":"default","networks":["::1"]}]' },
      'teams.0.name (SENDGATE_TEAMS): is not valid; allowed: any name but default',
    ],
    [
      'a header without a trusted proxy',
      { SENDGATE_TEAMS: '[{"name":"a","header":{"name":"x-team","value":"a"}}]' },
      'teams.0.header (SENDGATE_TEAMS): is ignored without server.trustProxy; allowed: a header that a trusted proxy sets',
    ],
    [
      'a token in the clear',
      { SENDGATE_TEAMS: '[{"name":"a","tokensSha256":["s3cret"]}]' },
      'teams.0.tokensSha256.0 (SENDGATE_TEAMS): is not valid; allowed: a SHA-256 digest of a token: 64 hex digits',
    ],
    [
      'a team with an unknown key',
      { SENDGATE_TEAMS: '[{"name":"a","networks":["::1"],"wieght":2}]' },
      'teams.0.wieght (SENDGATE_TEAMS): is not a setting; did you mean teams.0.weight?',
    ],
    [
      'teams that are not JSON',
      { SENDGATE_TEAMS: '[{' },
      'teams (SENDGATE_TEAMS): is not JSON: line 1, column 3: a } is missing; allowed: a list of at most 100 objects, in the environment as JSON',
    ],
    [
      'required teams without teams',
      { SENDGATE_CALLERS_REQUIRED: 'true' },
      'callers.required (SENDGATE_CALLERS_REQUIRED): refuses every caller while there are no teams; allowed: true together with teams',
    ],
    [
      'an origin for many hosts',
      { SENDGATE_CALLERS_CORS_ORIGINS: 'https://*.example.com' },
      'callers.cors.origins.0 (SENDGATE_CALLERS_CORS_ORIGINS): is not valid; allowed: an exact origin: scheme, host and port, without a path, and no *',
    ],
    [
      'an invalid origin',
      { SENDGATE_CALLERS_CORS_ORIGINS: '*' },
      'callers.cors.origins.0 (SENDGATE_CALLERS_CORS_ORIGINS): is not valid; allowed: an exact origin: scheme, host and port, without a path, and no *',
    ],
    [
      'a well-known setting under a made-up name',
      { SENDGATE_SERVER_PORT: '1' },
      'SENDGATE_SERVER_PORT: is not a setting; did you mean PORT?',
    ],
    [
      'a path as one name',
      { SENDGATE_CONFIG: 'dotted.json', PORT: '3' },
      'server.port (line 1 of dotted.json): is not a setting; did you mean "server": { "port": … }?',
    ],
    [
      'a path as one name in a section',
      { SENDGATE_CONFIG: 'dotted-below.json' },
      'constantContact.oauth.tokenFile (line 1 of dotted-below.json): is not a setting; did you mean "constantContact": { "oauth": { "tokenFile": … } }?',
    ],
    [
      'a number beyond every limit',
      { SENDGATE_CONFIG: 'huge.json' },
      'server.port (line 1 of huge.json): is too large; allowed: an integer from 0 to 65535',
    ],
    ...['localhost:8080', 'http://localhost', '[::1]', '[::]', '*'].map(
      (host) =>
        [
          `the host ${host}`,
          { HOST: host },
          'server.host (HOST): is not valid; allowed: a host name or address without scheme and port, IPv6 without brackets',
        ] as const,
    ),
    ...[
      ['0.0.0.0', '127.0.0.1'],
      ['127.0.0.1', '0.0.0.0'],
      ['::', '127.0.0.1'],
      ['::', '::1'],
      ['localhost', '127.0.0.1'],
      ['::1', 'localhost'],
    ].map(
      ([host = '', other = '']) =>
        [
          `one port on ${host} and ${other}`,
          { HOST: host, SENDGATE_MANAGEMENT_HOST: other, ...named, ...onePort },
          'management.port (SENDGATE_MANAGEMENT_PORT): is the same as server.port; allowed: another port',
        ] as const,
    ),
  ] as const)('for %s', (_, env, message) => {
    files['section.json'] = '{"cache":7}';
    files['dotted.json'] = '{"server.port":3}';
    files['dotted-below.json'] = '{"constantContact":{"oauth.tokenFile":"x"}}';
    files['huge.json'] = '{"server":{"port":1e99}}';
    expect(mistakes({ ...key, ...env })).toEqual([message]);
  });

  test.each([
    ['127.0.0.1', '127.0.0.2'],
    ['127.0.0.1', '::1'],
    ['0.0.0.0', '::1'],
    ['localhost', '10.0.0.1'],
  ])('one port on %s and %s is allowed', (host, other) => {
    expect(() => load({ HOST: host, SENDGATE_MANAGEMENT_HOST: other, ...named, ...onePort })).not.toThrow();
  });

  test.each(['::1', '::', 'fe80::1%eth0', 'web_1.example'])('the host %s is allowed', (host) => {
    expect(() => load({ HOST: host, ...named })).not.toThrow();
  });

  test('an http: upstream is allowed on loopback', () => {
    for (const host of ['localhost', '127.0.0.1:99', '[::1]']) {
      expect(() => load({ CONSTANT_CONTACT_BASE_URL: `http://${host}` })).not.toThrow();
    }
  });
});

describe('secrets', () => {
  test('are rejected in the file, and not quoted in the message', () => {
    const all = mistakes({ ...key, SENDGATE_CONFIG: 'secret.json' });
    expect(all).toHaveLength(3);
    expect(all[1]).toContain(
      'constantContact.apiKey (line 1 of secret.json): a secret does not belong in the configuration file',
    );
    expect(all.join()).not.toContain('in-the-file');
  });

  test('come from a variable or a mounted file', () => {
    expect(load({ CONSTANT_CONTACT_API_KEY: '', CONSTANT_CONTACT_API_KEY_FILE: 'key.txt' }).secrets.apiKey).toEqual({
      value: 'key-from-file',
      file: 'key.txt',
    });
    expect(load({}).secrets.accessToken).toBeUndefined();
  });

  test.each([
    ['twice', { CONSTANT_CONTACT_API_KEY: 'key-123456789', CONSTANT_CONTACT_API_KEY_FILE: 'key.txt' }, 'is set twice'],
    ['not at all', {}, 'CONSTANT_CONTACT_API_KEY: is missing'],
    [
      'in a file that is not there',
      { CONSTANT_CONTACT_API_KEY_FILE: 'nowhere' },
      'CONSTANT_CONTACT_API_KEY_FILE: the file that it names does not exist (ENOENT)',
    ],
    [
      'in an empty file',
      { CONSTANT_CONTACT_API_KEY_FILE: 'empty.txt' },
      'CONSTANT_CONTACT_API_KEY_FILE: the file empty.txt is empty',
    ],
    [
      'with a space inside',
      { CONSTANT_CONTACT_API_KEY: 'key 123456789' },
      'CONSTANT_CONTACT_API_KEY: has a blank or a line break in it',
    ],
    [
      'too short to be kept out of logs',
      { CONSTANT_CONTACT_API_KEY: 'short' },
      'CONSTANT_CONTACT_API_KEY: is too short',
    ],
  ])('given %s are a mistake', (_, env, message) => {
    const all = mistakes(env as Record<string, string>);
    expect(all).toEqual([expect.stringContaining(message)]);
    expect(all.join()).not.toContain('123456789');
  });

  test('to redact include passwords inside the URLs of Redis and of a proxy', () => {
    const env = { REDIS_URL: 'redis://me:redis-5ecret@redis', HTTPS_PROXY: 'http://me:pr0xy%2F5ecret@proxy' };
    expect(secretValuesOf(load(env))).toEqual(
      expect.arrayContaining([key.CONSTANT_CONTACT_API_KEY, env.REDIS_URL, 'redis-5ecret', 'pr0xy/5ecret']),
    );
  });

  test('are masked in the effective configuration', () => {
    const shown = JSON.stringify(effectiveConfig(load({ CONSTANT_CONTACT_ACCESS_TOKEN_FILE: 'key.txt' })));
    expect(shown).toContain('"apiKey":"(set)"');
    expect(shown).toContain('"accessToken":"(set, from key.txt)"');
    expect(shown).not.toContain(key.CONSTANT_CONTACT_API_KEY);
    expect(shown).not.toContain('key-from-file');
  });
});

describe('the documentation of the settings', () => {
  test.each(Object.entries(generated()))('%s is up to date (npm run generate)', (path, text) => {
    expect(readFileSync(new URL(`../config/${path}`, import.meta.url), 'utf8')).toBe(text);
  });

  test('describes every setting', () => {
    for (const { doc } of settings()) expect(doc.length).toBeGreaterThan(10);
  });
});
