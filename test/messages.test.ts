/**
 * What operators read at the start, and what a request to the wrong place gets.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BindFailure, explainBindFailure } from '../src/config/bind-failure.ts';
import { ConfigError } from '../src/config/config-error.ts';
import { loadConfig } from '../src/config/load.ts';
import { listen } from '../src/http/server.ts';
import { sitePaths } from '../src/site/site.ts';
import { type Harness, spawnMain, start } from './support/harness.ts';

const run = promisify(execFile);
const program = (name: string) => fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));
const canary = 'c4n4ry';
const key = { CONSTANT_CONTACT_API_KEY: 'key-123456789' };

let texts: Record<string, string> = {};
function readFile(path: string): string {
  const text = texts[path];
  if (text === undefined) throw Object.assign(new Error(canary), { code: 'ENOENT' });
  return text;
}

/** The messages of a configuration: mistakes, or else warnings. */
function told(env: Record<string, string>, file?: string): readonly string[] {
  texts = file === undefined ? {} : { '/etc/s.json': file };
  const place = file === undefined ? {} : { SENDGATE_CONFIG: '/etc/s.json' };
  try {
    return loadConfig({ ...key, ...place, ...env }, readFile).warnings;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.mistakes;
  }
}

describe('a file that is not JSON is told with line and column', () => {
  test.each([
    [
      'a comma too many',
      `{\n  "server": {\n    "port": 8080,\n  }\n}`,
      'line 4, column 3: a name in double quotes is missing',
    ],
    ['a missing comma', `{\n  "a": "${canary}"\n  "b": 1\n}`, 'line 3, column 3: a comma is missing before this'],
    ['a missing colon', `{"a" "${canary}"}`, 'line 1, column 6: a colon is missing before this'],
    ['single quotes', `{'a': '${canary}'}`, 'line 1, column 2: a name or a text needs double quotes'],
    ['YAML', `server:\n  port: ${canary}`, 'line 1, column 1: a name or a text needs double quotes'],
    ['no end', `{\n  "a": {\n    "b": "${canary}"`, 'line 3, column 18: a } is missing'],
    [
      'an open text',
      `{"a": "${canary}\n}`,
      'line 1, column 7: a text that begins here has no closing quote on its line',
    ],
    ['a comment', `{\n  // ${canary}\n}`, 'line 2, column 3: comments are not allowed'],
    ['a second value', `{}\n{"a": "${canary}"}`, 'line 2, column 1: the text goes on after its end'],
    ['a missing value', `{"${canary}": }`, 'line 1, column 12: a value is missing'],
    ['a bad escape', `{"a": "C:\\${canary}"}`, 'line 1, column 7: a text that begins here has a bad \\ escape'],
  ])('%s', (_, file, message) => {
    const [only, ...others] = told({}, file);
    expect(others).toEqual([]);
    expect(only).toContain(`SENDGATE_CONFIG: the file /etc/s.json is not JSON: ${message}`);
    expect(only).not.toContain(canary);
  });

  test('one that is empty, or in another encoding, is told so; a byte order mark is tolerated', () => {
    expect(told({}, ' \n')).toEqual(['SENDGATE_CONFIG: the file /etc/s.json is empty; allowed: a JSON object']);
    for (const utf16 of ['{\0}\0', '\0{\0}']) {
      expect(told({}, utf16)).toEqual(['SENDGATE_CONFIG: the file /etc/s.json is not UTF-8; allowed: a JSON object']);
    }
    expect(told({}, '{}\0')).toEqual([expect.stringContaining('is not JSON: line 1, column 3: ')]);
    expect(told({}, '\ufeff{"server":{"port":9000}}')).toEqual([]);
  });

  test('a setting that is in it twice is a mistake, since the last one would count silently', () => {
    expect(told({}, '{"quota":{"perDay":1,\n"perDay":2}}')).toEqual([
      'quota.perDay (line 2 of /etc/s.json): is in the file twice; allowed: each setting once',
    ]);
    expect(told({ SENDGATE_TEAMS: '[{"name":"a","networks":["::1"],"weight":1,"weight":2}]' })).toEqual([
      'teams.0.weight (SENDGATE_TEAMS): is in it twice; allowed: each name once',
    ]);
    expect(told({ SENDGATE_TEAMS: `[{"name":"a","networks":["::1"],"${canary} a":1,"${canary} a":2}]` })).toEqual([
      'a name (SENDGATE_TEAMS): is in it twice; allowed: each name once',
      expect.stringContaining('teams.0 (SENDGATE_TEAMS): a name in it is not a setting; '),
    ]);
    // The name may be a secret.
    const secret = `"${canary.repeat(7)}":1`;
    expect(told({}, `{"log":{${secret},${secret}}}`).join()).not.toContain(canary);
  });

  test.each([
    ['objects', `{"teams":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_001)}`],
    ['lists', `{"teams":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['lists without an end', '['.repeat(100_000)],
    ['lists with wrong brackets', '[},'.repeat(100_000)],
    ['lists with brackets in texts', '["]",'.repeat(100_000)],
  ])('that is nested too deep for its readers is told so: %s', (_, text) => {
    const fault = 'is nested more than 32 deep';
    expect(told({}, text)).toEqual([`SENDGATE_CONFIG: the file /etc/s.json ${fault}; allowed: a JSON object`]);
    expect(told({ SENDGATE_TEAMS: text })).toEqual([expect.stringContaining(`teams (SENDGATE_TEAMS): ${fault}; `)]);
  });

  test('of many mistakes, fifty are told and the others counted', () => {
    const names = Array.from({ length: 60_000 }, (_, n) => `"n${n}":1`);
    const env = { ...key, SENDGATE_CONFIG: '/etc/s.json' };
    expect(told({}, `{"port":1,\n${names}}`)).toHaveLength(50);
    expect(() => loadConfig(env, readFile)).toThrow(
      /^The configuration has 60001 mistakes:\n(.*\n){50} {2}- and 59951 more$/,
    );
    // The same name twice.
    expect(told({}, `{"port":1,\n${names.map(() => '"n":1')}}`)).toHaveLength(50);
  });
});

describe('an unknown name', () => {
  test.each([
    ['{"port":1}', 'port (line 1 of /etc/s.json): is not a setting; did you mean server.port or management.port?'],
    ['{"server":{"basepath":""}}', expect.stringContaining('did you mean server.basePath?')],
    ['{"storage":{"dir":""}}', expect.stringContaining('did you mean storage.directory?')],
    ['{"foo":1}', expect.not.stringContaining('did you mean')],
    ['{"PORT":1}', expect.stringContaining('did you mean server.port?')],
    ['{"constantContact":{"tokenFile":""}}', expect.stringContaining('did you mean constantContact.oauth.tokenFile?')],
    ['{"callers":{"cors":{"orgins":[]}}}', expect.stringContaining('did you mean callers.cors.origins?')],
    ['{"quota":{"x":1}}', expect.stringMatching(/: is not a setting; allowed: perSecond, perDay, /)],
    ['{"redis":{"url":"redis://x"}}', expect.stringContaining('a secret does not belong')],
    ['{"server":{"constructor":1}}', expect.stringMatching(/: is not a setting; allowed: host, port, /)],
    ['{"teams":[{"name":"a","networks":["10.0.0.1"],"toString":1}]}', expect.stringContaining('allowed: name, weight')],
    [`{"log":{"${canary}${canary}":1}}`, expect.stringContaining('is not a setting; allowed: level')],
    [`{"log":{"${canary.repeat(7)}":1}}`, 'log (line 1 of /etc/s.json): a name in it is not a setting; allowed: level'],
    [
      `{"${canary.repeat(100_000)}":1}`,
      expect.stringMatching(
        /^SENDGATE_CONFIG \(line 1 of .etc.s.json\): a name in it is not a setting; allowed: server, /,
      ),
    ],
    [
      '{"quota":{},\n"// why":"x"}',
      expect.stringMatching(/^SENDGATE_CONFIG \(line 2 of .etc.s.json\): a name in it is /),
    ],
    [
      '{"quota":{\n"größe":1}}',
      expect.stringMatching(/^quota \(line 2 of .etc.s.json\): a name in it is not a setting; /),
    ],
    ['{"quota":{\n"7":\n1}}', expect.stringMatching(/^quota.7 \(line 2 of .etc.s.json\): is not a setting; /)],
    [
      '{"teams":[\n{"name":"a","networks":["::1"],\n"a b":1}]}',
      expect.stringMatching(/^teams.0 \(line 3 of .etc.s.json\): a name/),
    ],
  ])('in the file: %.50s', (file, message) => {
    expect(told({}, file)).toEqual([message]);
  });

  test.each([
    ['SENDGATE_PORT', 'PORT or SENDGATE_MANAGEMENT_PORT'],
    ['SENDGATE_SERVER_WORKERS', 'SENDGATE_WORKERS'],
    ['SENDGATE_LOGLEVEL', 'SENDGATE_LOG_LEVEL'],
    ['SENDGATE_API_KEY', 'CONSTANT_CONTACT_API_KEY'],
    ['SENDGATE_CONFIG_FILE', 'SENDGATE_CONFIG'],
    ['SENDGATE_REDIS_URL', 'REDIS_URL'],
    ['SENDGATE_STORAGE_DIR', 'SENDGATE_STORAGE_DIRECTORY'],
    ['CONSTANT_CONTACT_APIKEY', 'CONSTANT_CONTACT_API_KEY'],
    ['CONSTANT_CONTACT_TIMEOUT_MS', 'SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS'],
  ])('of a variable that is close to a known one is a mistake: %s', (variable, meant) => {
    expect(told({ [variable]: canary })).toEqual([`${variable}: is not a setting; did you mean ${meant}?`]);
  });

  test.each([
    'SENDGATE_HOME',
    'SENDGATE_URL',
    'SENDGATE_LOG',
    'SENDGATE_ST',
    'SENDGATE_VERSION',
    'CONSTANT_CONTACT_REDIRECT_URI',
  ])('of another program is a warning: %s', (variable) => {
    expect(told({ [variable]: canary })).toEqual([`${variable}: is not a setting; ignored`]);
    expect(() => loadConfig({ ...key, [variable]: canary, PORT: 'x' }, readFile)).toThrow(
      `  - warning: ${variable}: is not a setting; ignored`,
    );
  });
});

describe('a value inside the JSON of a variable', () => {
  const allowedNumber = 'allowed: a number from 0.01 to 1000';
  test.each([
    ['{"networks":"10.0.0.0/8"}', 'networks (SENDGATE_TEAMS): is a text; allowed: a list of at most 1000 texts'],
    ['{"weight":"2"}', `weight (SENDGATE_TEAMS): is a text; ${allowedNumber}`],
    ['{"weight":" 2"}', `weight (SENDGATE_TEAMS): is a text; ${allowedNumber}`],
    ['{"requestsPerMinute":"true"}', expect.stringContaining('requestsPerMinute (SENDGATE_TEAMS): is a text; ')],
    [
      '{"requestsPerMinute":1.5}',
      expect.stringContaining('requestsPerMinute (SENDGATE_TEAMS): is not a whole number; '),
    ],
    ['{"header":"x"}', 'header (SENDGATE_TEAMS): is a text; allowed: an object with some of name, value'],
  ])('is told by its type: %s', (member, message) => {
    const team = JSON.stringify({ name: 'a', networks: ['::1'], ...JSON.parse(member) });
    const [only, ...others] = told({ SENDGATE_TEAMS: `[${team}]`, SENDGATE_SERVER_TRUST_PROXY: '::1' });
    expect(only?.replace('teams.0.', '')).toEqual(message);
    expect(others).toEqual([]);
  });

  test.each([
    ['{"a":1}', 'is an object'],
    ['7', 'is a number'],
  ])('is no list: %s', (json, fault) => {
    expect(told({ SENDGATE_TEAMS: json })).toEqual([
      `teams (SENDGATE_TEAMS): ${fault}; allowed: a list of at most 100 objects, in the environment as JSON`,
    ]);
  });
});

describe('what looks like the address of Redis', () => {
  test.each(['REDIS_URI', 'REDIS_HOST', 'REDIS_PASSWORD', 'REDIS_URI_FILE', 'REDIS'])(
    'under another name is a warning: %s',
    (name) => {
      expect(told({ [name]: canary })).toEqual([`${name}: is not a setting; ignored; did you mean REDIS_URL?`]);
      expect(told({ [name]: canary, REDIS_URL: 'redis://redis' })).toEqual([]);
    },
  );

  test('is none in the variables that Kubernetes sets for a service named redis', () => {
    const service = { REDIS_SERVICE_HOST: '10.0.0.9', REDIS_SERVICE_PORT: '6379', REDIS_SERVICE_PORT_REDIS: '6379' };
    const port = { REDIS_PORT: 'tcp://10.0.0.9:6379', REDIS_PORT_6379_TCP_ADDR: '10.0.0.9' };
    expect(told({ ...service, ...port })).toEqual([]);
  });
});

describe('a team that comes after another one', () => {
  const digest = 'ab'.repeat(32);
  const teams = (first: object, second: object) => ({
    SENDGATE_SERVER_TRUST_PROXY: '::1',
    SENDGATE_TEAMS: JSON.stringify([
      { name: 'a', ...first },
      { name: 'b', ...second },
    ]),
  });
  const header = (name: string, value: string) => ({ header: { name, value } });

  test.each([
    [
      'the same token',
      { tokensSha256: [digest] },
      { tokensSha256: ['00'.repeat(32), digest.toUpperCase()] },
      'tokensSha256.1',
    ],
    ['the same network', { networks: ['10.0.0.0/8'] }, { networks: ['::1', '10.0.0.0/8'] }, 'networks.1'],
    ['a part of its network', { networks: ['10.0.0.0/8'] }, { networks: ['10.1.0.0/16'] }, 'networks.0'],
    ['an address of its network', { networks: ['2001:db8::/32'] }, { networks: ['2001:db8::7'] }, 'networks.0'],
    [
      'the same address, written otherwise',
      { networks: ['2001:db8::a:0:1'] },
      { networks: ['2001:DB8:0::a:0.0.0.1/128'] },
      'networks.0',
    ],
    ['the same header', header('X-Team', 'a'), header('x-team', 'a'), 'header'],
  ])('and has %s is a warning', (_, first, second, place) => {
    const warnings = told(teams(first, second));
    expect(warnings).toEqual([
      `teams.1.${place} (SENDGATE_TEAMS): never matches, since it is in teams.0 too, which comes first`,
    ]);
  });

  test('and has much the same is fifty warnings', () => {
    const networks = Array.from({ length: 1_000 }, (_, n) => `fd::${n}`);
    const file = { teams: Array.from({ length: 60 }, (_, n) => ({ name: `t${n}`, networks })) };
    expect(told({}, JSON.stringify(file, null, 1))).toHaveLength(50);
  });

  test.each([
    ['a larger network', { networks: ['10.1.0.0/16'] }, { networks: ['10.0.0.0/8'] }],
    ['the other family', { networks: ['0.0.0.0/1'] }, { networks: ['::/1'] }],
    ['a neighbouring network', { networks: ['10.1.0.0/16', 'fe80::1%eth0'] }, { networks: ['10.2.0.0/16', 'fe80::2'] }],
    ['another value', header('X-Team', 'a'), header('X-Team', 'A')],
  ])('and has %s is none', (_, first, second) => {
    expect(told(teams(first, second))).toEqual([]);
  });
});

describe('a secret', () => {
  const name = 'CONSTANT_CONTACT_API_KEY';
  test.each([
    ['in single quotes', `'${canary}-1'`, 'is in quotes, which do not belong to it'],
    ['with a line break at its end', `${canary}-1\n`, 'has blanks or line breaks around it'],
    ['with a comment', `${canary}-1 # key`, 'has a blank or a line break in it'],
    ['with a letter that is not ASCII', `${canary}-ü`, 'has characters that are not printable ASCII'],
  ])('%s is told so', (_, value, fault) => {
    expect(told({ [name]: value })).toEqual([
      `${name}: ${fault}; allowed: 8 to 4,096 printable ASCII characters without spaces`,
    ]);
  });

  test('in the variable of its file is not repeated', () => {
    expect(told({ [name]: '', [`${name}_FILE`]: `${canary}-1` })).toEqual([
      `${name}_FILE: the file that it names does not exist (ENOENT); allowed: the path of a readable file`,
    ]);
  });
});

describe('an address that cannot be listened on', () => {
  const names = { host: 'server.host (HOST)', port: 'server.port (PORT)' };

  test('is told with the variable HOST, which a shell may have set', async () => {
    // RFC 5737: an address of documentation is never one of this machine.
    const address = { host: '192.0.2.1', port: 0 };
    const failure = await listen(createServer(), address.host, address.port).catch((error: unknown) => error);
    const explained = explainBindFailure(failure, address, names);
    expect(explained).toBeInstanceOf(BindFailure);
    expect((explained as Error).message).toBe(
      'server.host (HOST): 192.0.2.1 is not an address of this machine (EADDRNOTAVAIL); allowed: one of its addresses, e.g. 127.0.0.1, or 0.0.0.0 or :: for all; or unset HOST, which some shells set to the name of the machine',
    );
  });

  test('is told with the setting of the port, where ports under 1024 need a right', () => {
    expect(explainBindFailure(failureOf('EACCES'), { host: '::', port: 80 }, names)).toMatchObject({
      message:
        'server.port (PORT): this user may not listen on port 80 (EACCES); allowed: 1024 and above, or any with CAP_NET_BIND_SERVICE',
    });
  });

  const failureOf = (code: string) => Object.assign(new Error(code), { code });

  test('of the sandbox is told in one line, with exit code 69', async () => {
    const server = createServer();
    const { port } = new URL(await listen(server, '127.0.0.1', 0));
    const failure = await run(process.execPath, [program('sandbox/main')], { env: { PORT: port } }).catch(
      (error) => error,
    );
    server.close();
    expect(failure).toMatchObject({
      code: 69,
      stderr: `sandbox: PORT: port ${port} of 127.0.0.1 is in use (EADDRINUSE); allowed: a free port\n`,
    });
  });
});

describe('a request to the wrong place', () => {
  let sendgate: Harness;
  beforeAll(async () => {
    sendgate = await start({ SENDGATE_SERVER_BASE_PATH: '/ctct', SENDGATE_HOME: canary });
  });
  afterAll(() => sendgate.close());
  const detailOf = async (path: string) => ((await (await sendgate.get(path)).json()) as { detail: string }).detail;

  test('outside the base path is told what paths begin with', async () => {
    expect(await detailOf('/campaigns/5/sends')).toBe(
      'The paths of this Sendgate begin with /ctct, such as GET /ctct/campaigns/{id}/sends.',
    );
    expect(await detailOf('/ctctx/status')).toContain('begin with /ctct');
    expect(await detailOf('/ctct/nothing')).toMatch(
      /^This path does not exist.*GET \/ctct\/campaigns\/\{id\}\/sends\.$/,
    );
  });

  test.each([
    ['/ctct', '/ctct/'],
    ['/ctct?x=1', '/ctct/?x=1'],
    ['/ctct/docs/', '/ctct/docs'],
    ['/ctct/docs/?x=1&y=%2F?', '/ctct/docs?x=1&y=%2F?'],
    ['/ctct/problems/rate-limited/', '/ctct/problems/rate-limited'],
  ])('of a page, with a slash too many or too few, is redirected: %s', async (path, page) => {
    const { status, headers } = await fetch(`${sendgate.url}${path}`, { redirect: 'manual' });
    expect([status, headers.get('location')]).toEqual([308, page]);
    expect(sitePaths('/ctct')(path)).toBe(true);
  });

  test.each([
    '/ctct/docs//',
    '/ctct/problems/nothing/',
    '/ctct/problems/',
    '/ctct/openapi.json/',
    '/ctct/campaigns/1/sends/',
  ])('of no page is not redirected: %s', async (path) =>
    expect((await fetch(`${sendgate.url}${path}`, { redirect: 'manual' })).status).toBe(404),
  );

  test('of operators at the port of callers is told where it is, and the reverse', async () => {
    expect(await detailOf('/readyz')).toBe('/readyz is on the management listener (`management.port`).');
    const answer = await fetch(`${sendgate.service.managementUrl}/campaigns/5/sends`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ error: expect.stringContaining('server.port') });
  });

  test('the warnings of the configuration are logged without values', () => {
    const line = sendgate.lines.find((one) => one.includes('config.warning'));
    expect(JSON.parse(line ?? '')).toMatchObject({
      level: 'warn',
      warning: 'SENDGATE_HOME: is not a setting; ignored',
    });
    expect(sendgate.lines.join('')).not.toContain(canary);
  });
});

test.each([
  [['--chek-config'], "Unknown option '--chek-config'"],
  [['--check-config=x'], "Option '--check-config' does not take an argument"],
  [['--connect'], '--connect needs --check-config'],
  [[canary], 'Unexpected argument: there are only flags'],
])('a wrong command line is told before the usage: %j', async (args, told) => {
  const { exited, output } = spawnMain({}, args);
  expect(await exited).toBe(64);
  expect(output()).toMatch(/\n\nUsage: /);
  expect(output().split('\n')[0]).toBe(told);
  expect(output()).not.toContain(canary);
});

test('the documented command tries a file in the environment of a running Sendgate, through a pipe', async () => {
  const documented = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
  const commands = [...documented.matchAll(/exec -i sendgate.* sh -c '(.+)' < new\.json$/gm)].map(
    ([, command]) => command,
  );
  expect(commands).toHaveLength(2);
  for (const command of commands) {
    const outputOf = (file: string) => {
      const cwd = fileURLToPath(new URL('..', import.meta.url));
      const env = { PATH: process.env['PATH'], ...key, SENDGATE_CONFIG: '/nowhere/sendgate.json' };
      return spawnSync('sh', ['-c', command ?? ''], { cwd, env, input: file, encoding: 'utf8' });
    };
    expect(outputOf('{"quota":{"perDay":77}}')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching('"perDay": 77'),
    });
    expect(outputOf('{"a":1}')).toMatchObject({
      status: 78,
      stderr: expect.stringContaining('a (line 1 of /dev/stdin)'),
    });
  }
});

test('--check-config prints warnings on stderr, apart from the configuration', async () => {
  const { exited, child, output } = spawnMain({ ...key, SENDGATE_HOME: canary }, ['--check-config']);
  let errors = '';
  child.stderr.on('data', (data) => {
    errors += data;
  });
  expect(await exited).toBe(0);
  expect(errors).toBe('warning: SENDGATE_HOME: is not a setting; ignored\n');
  expect(output()).not.toContain(canary);
});

describe('npm run token', () => {
  test('prints a token once, and an entry with its digest that makes the team', async () => {
    const { stdout } = await run(process.execPath, [program('token'), 'bi']);
    const token = /^ {2}([0-9a-f]{64})$/m.exec(stdout)?.[1] ?? '';
    const entry = /^ {2}(\{.*\})$/m.exec(stdout)?.[1] ?? '';
    expect(JSON.parse(entry)).toEqual({ name: 'bi', tokensSha256: [createHash('sha256').update(token).digest('hex')] });
    expect(stdout.split(token)).toHaveLength(2);

    const sendgate = await start({ SENDGATE_TEAMS: `[${entry}]`, SENDGATE_CALLERS_REQUIRED: 'true' });
    const statusWith = async (bearer: string) =>
      (await sendgate.get('/status', { Authorization: `Bearer ${bearer}` })).status;
    expect([await statusWith(token), await statusWith(`${token}x`)]).toEqual([200, 401]);
    await sendgate.close();
  });

  test.each([['default'], ['two words']])('refuses %j, which is no name of a team', async (name) => {
    const failure = await run(process.execPath, [program('token'), name]).catch((error) => error);
    expect(failure).toMatchObject({ code: 64, stdout: '', stderr: expect.stringContaining('<team>') });
  });
});
