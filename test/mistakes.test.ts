/**
 * What an operator reads who made a mistake: what is wrong, where, and what is allowed; never the value, which may be a secret.
 */
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../src/config/config-error.ts';
import { type Loaded, loadConfig } from '../src/config/load.ts';
import { settings } from '../src/config/settings.ts';
import { spawnMain } from './support/harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-mistakes-'));
const at = (name: string) => join(folder, name);

/** In every value that is wrong; no message may repeat it. */
const canary = 'c4n4ry';

const readFile = (path: string) => {
  const text = files[path];
  if (text instanceof Error) throw text;
  if (text === undefined) throw failure('ENOENT');
  return text;
};
const failure = (code: string) => Object.assign(new Error(`${code}: ${canary}`), { code });

const files: Record<string, string | Error> = {};

function load(env: Record<string, string>): Loaded | ConfigError {
  try {
    return loadConfig(env, readFile);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

function mistakesOf(env: Record<string, string>): readonly string[] {
  const loaded = load(env);
  return loaded instanceof ConfigError ? loaded.mistakes : [];
}

/** One mistake: what goes into the file, into the environment, and the message. */
interface Mistake {
  readonly name: string;
  readonly file?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly message: string;
}

const config = '/etc/sendgate/sendgate.json';

test.each([' /x', '/x ', '~/x', '/x"', "'/x", '/x\0', '/x\ny'])('the path %j is a mistake', (path) => {
  const allowed = 'allowed: a path without blanks or quotes around it, and on one line; ~ is not expanded';
  for (const [name, variable] of [
    ['storage.directory', 'SENDGATE_STORAGE_DIRECTORY'],
    ['quota.stateFile', 'SENDGATE_QUOTA_STATE_FILE'],
    ['cache.encryptionKeyFile', 'SENDGATE_CACHE_ENCRYPTION_KEY_FILE'],
    ['constantContact.oauth.tokenFile', 'CONSTANT_CONTACT_TOKEN_FILE'],
  ] as const) {
    expect(mistakesOf({ [variable]: path })).toContain(`${name} (${variable}): is not valid; ${allowed}`);
  }
});

test.each(['/', '//', '/..', '/a/../'])('the storage directory %s is a mistake', (directory) => {
  expect(mistakesOf({ SENDGATE_STORAGE_DIRECTORY: directory })).toContain(
    'storage.directory (SENDGATE_STORAGE_DIRECTORY): is not valid; allowed: a directory for Sendgate alone, not /',
  );
});

test.each(['/a/../b', '/..', '/.', '/a/./b'])(
  'the base path %s is a mistake: clients resolve it before they send',
  (path) => {
    expect(mistakesOf({ SENDGATE_SERVER_BASE_PATH: path })).toContainEqual(
      expect.stringMatching(/^server.basePath .*: is not valid/),
    );
  },
);

test.each(['/a..b', '/...', '/.well-known'])('the base path %s is allowed', (path) => {
  expect(mistakesOf({ ...sound, SENDGATE_SERVER_BASE_PATH: path })).toEqual([]);
});

/** In the order of the settings. */
const mistakes: readonly Mistake[] = [
  {
    name: 'a number over its limit',
    env: { PORT: '70000' },
    message: 'server.port (PORT): is too large; allowed: an integer from 0 to 65535',
  },
  {
    name: 'an unknown setting of a section',
    file: { server: { portt: canary } },
    message: `server.portt (line 1 of ${config}): is not a setting; did you mean server.port?`,
  },
  {
    name: 'a text for a number',
    file: { cache: { maxFreshSeconds: canary } },
    message: `cache.maxFreshSeconds (line 1 of ${config}): is a text; allowed: an integer from 1 to 31536000`,
  },
  {
    name: 'a key file that this user may not read',
    env: { SENDGATE_CACHE_ENCRYPTION_KEY_FILE: '/etc/sendgate/keys' },
    message:
      'cache.encryptionKeyFile (SENDGATE_CACHE_ENCRYPTION_KEY_FILE): the file /etc/sendgate/keys may not be read by this user (EACCES); allowed: a file of 1 to 16 keys, one per line, each 32 bytes in base64 (`openssl rand -base64 32`)',
  },
  {
    name: 'an upstream without TLS',
    env: { CONSTANT_CONTACT_BASE_URL: `http://${canary}.example` },
    message:
      'constantContact.baseUrl (CONSTANT_CONTACT_BASE_URL): is not valid; allowed: an https: URL without path, query and credentials; http: for loopback only',
  },
  {
    name: 'teams that are not JSON',
    env: { SENDGATE_TEAMS: `[{"name": "bi",\n "tokensSha256": ["${canary}" "b"]}]` },
    message:
      'teams (SENDGATE_TEAMS): is not JSON: line 2, column 28: a comma is missing before this; allowed: a list of at most 100 objects, in the environment as JSON',
  },
  {
    name: 'a value in quotes',
    env: { SENDGATE_QUOTA_PER_DAY: `"9000"` },
    message:
      'quota.perDay (SENDGATE_QUOTA_PER_DAY): is in quotes, which do not belong to it; allowed: an integer from 1 to 100000000',
  },
  {
    name: 'a word that is none of the allowed ones',
    env: { SENDGATE_LOG_LEVEL: canary },
    message:
      'log.level (SENDGATE_LOG_LEVEL): is none of the allowed values; allowed: fatal, error, warn, info, debug, trace, silent',
  },
  {
    name: 'a key in quotes',
    env: { CONSTANT_CONTACT_API_KEY: `"key-${canary}"` },
    message:
      'CONSTANT_CONTACT_API_KEY: is in quotes, which do not belong to it; allowed: 8 to 4,096 printable ASCII characters without spaces',
  },
  {
    name: 'a secret file that is a directory',
    env: { CONSTANT_CONTACT_ACCESS_TOKEN_FILE: '/run/secrets' },
    message:
      'CONSTANT_CONTACT_ACCESS_TOKEN_FILE: the file /run/secrets is a directory (EISDIR); allowed: the path of a readable file',
  },
  {
    name: 'an address of Redis in another form',
    env: { REDIS_URL: `https://:${canary}@redis.example` },
    message:
      'REDIS_URL: is not valid; allowed: redis://[user:password@]host[:port][/database], redis://host:port,host:port,… for a cluster, or redis+sentinel://host:port,…/name; rediss: for TLS; special characters of a password percent-encoded, e.g. @ as %40',
  },
  {
    name: 'an unknown variable that is close to a known one',
    env: { SENDGATE_CACHE_MAX_BYTE: canary },
    message: 'SENDGATE_CACHE_MAX_BYTE: is not a setting; did you mean SENDGATE_CACHE_MAX_BYTES?',
  },
];

const sound = { CONSTANT_CONTACT_API_KEY: 'key-123456789' };

function prepare(chosen: readonly Mistake[]): Record<string, string> {
  files['/etc/sendgate/keys'] = failure('EACCES');
  files['/run/secrets'] = failure('EISDIR');
  files[config] = JSON.stringify(Object.assign({}, ...chosen.map(({ file }) => file)));
  return Object.assign({ ...sound, SENDGATE_CONFIG: config }, ...chosen.map(({ env }) => env));
}

describe('twelve mistakes', () => {
  test.each(mistakes.map((mistake) => [mistake.name, mistake] as const))('alone: %s', (_, mistake) => {
    expect(mistakesOf(prepare([mistake]))).toEqual([mistake.message]);
  });

  test('all at once are told in the order of the settings, and no value with them', () => {
    const told = mistakesOf(prepare(mistakes));
    expect(told).toEqual(mistakes.map(({ message }) => message));
    expect(told.join()).not.toContain(canary);
  });

  test('of a process: exit code 78, all on stderr, no stack and no value', async () => {
    writeFileSync(at('keys'), canary);
    chmodSync(at('keys'), 0);
    mkdirSync(at('secrets'));
    const env = prepare(mistakes);
    writeFileSync(at('sendgate.json'), files[config] as string);
    const { exited, output } = spawnMain({
      ...env,
      SENDGATE_CONFIG: at('sendgate.json'),
      SENDGATE_CACHE_ENCRYPTION_KEY_FILE: at('keys'),
      CONSTANT_CONTACT_ACCESS_TOKEN_FILE: at('secrets'),
    });
    expect(await exited).toBe(78);
    expect(output()).toContain('The configuration has 12 mistakes:');
    expect(output()).not.toMatch(/^ +at /m);
    expect(output()).not.toContain(canary);
  });
});

describe('the words of a mistake', () => {
  const values: Readonly<Record<string, unknown>> = {
    'a text': canary,
    'a long text': canary.repeat(1_000),
    'an empty text': '',
    'a negative number': -44_104_201,
    'a huge number': 4.410_420_1e300,
    'a fraction': 44.104_201,
    'a boolean': true,
    null: null,
    'a list': [canary, [canary], 44_104_201, null],
    'a long list': Array(2_000).fill(canary),
    'an object': { nonsense: canary, [`${canary}-${'0'.repeat(36)}`]: canary },
  };
  const nested = ['name', 'weight', 'requestsPerMinute', 'callsPerDay', 'networks', 'header', 'tokensSha256'];
  const places = [
    ...settings().map(({ path }) => path),
    ...[...new Set(settings().map(({ path }) => path.split('.')[0] ?? ''))],
    ...nested.map((name) => `teams.0.${name}`),
    'teams.0.header.name',
    'teams.0.header.value',
  ];
  const where = /^[\w.]+ \(line 1 of \/etc\/sendgate\/sendgate\.json\): /;

  function withValue(path: string, value: unknown): unknown {
    return path.split('.').reduceRight<unknown>((inner, name) => (name === '0' ? [inner] : { [name]: inner }), value);
  }

  test.each(places)('of %s are plain, name what is allowed, and repeat no value', (path) => {
    const told = Object.values(values).flatMap((value) => {
      files[config] = JSON.stringify(withValue(path, value));
      return mistakesOf({ ...sound, SENDGATE_CONFIG: config });
    });
    for (const message of told.filter((one) => where.test(one))) {
      expect(message).toMatch(/: [^;]+; (allowed: .+|did you mean .+\?)$/);
    }
    expect(told.length).toBeGreaterThan(3);
    expect(told.join('\n')).not.toMatch(/Invalid|Unrecognized|expected|received|Too |pattern|undefined|NaN|\[object/);
    expect(told.join('\n')).not.toMatch(/44_?104_?201|4\.41/);
    expect(told.filter((one) => one.includes(canary))).toEqual([]);
  });
});
