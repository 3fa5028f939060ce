/**
 * Credentials on v2's path: a team's token applies to one request, and all others are stripped before anything reads them.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { takeCredentials } from '../../src/reports/v2-compat/drop-in-requests.ts';
import { ask } from '../support/ask.ts';
import { type Environment, type Harness, start, until } from '../support/harness.ts';
import { dial, wire } from '../support/raw.ts';

const path = '/campaigns/1/sends';
const dropIn = '/v2/emailmarketing/campaigns/1/tracking/sends';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const teams = [
  { name: 'office', networks: ['10.1.0.0/16'] },
  { name: 'jobs', tokensSha256: [sha256('token-of-jobs')] },
  { name: 'etl', tokensSha256: [sha256('t/o+k=e~n')] },
];

let it: Harness;
async function up(env: Environment = {}) {
  it = await start({
    SENDGATE_SERVER_DROP_IN_V2: 'true',
    SENDGATE_TEAMS: JSON.stringify(teams),
    SENDGATE_SERVER_TRUST_PROXY: 'loopback',
    ...env,
  });
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
}
afterEach(() => it.close());

const to = (target: string, headers: Record<string, string> = {}, method?: string) =>
  ask(`${it.url}${target}`, headers, method);
const teamOf = ({ headers }: { headers: Readonly<Record<string, string | undefined>> }) =>
  /^"(\w+)"/.exec(headers['ratelimit'] ?? '')?.[1];
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Responses to requests sent one after another on one connection. */
async function onOneConnection(requests: readonly string[], isAtOnce: boolean): Promise<string[]> {
  const { socket, text, closed } = await dial(it.url);
  const answers = () => text().split(/(?=HTTP\/1\.1 \d)/).length;
  for (const [n, request] of requests.entries()) {
    socket.write(request);
    if (!isAtOnce)
      await until(
        () => answers() > n && text() !== '' && /\r\n\r\n/.test(text().split(/(?=HTTP\/1\.1 \d)/)[n] ?? ''),
        'the answer has come',
      );
  }
  socket.write(wire('/nothing', ['Connection: close']));
  return (await closed).split(/(?=HTTP\/1\.1 \d)/).slice(0, -1);
}

describe("a team's token", () => {
  test.each([
    ['in the header', dropIn, bearer('token-of-jobs'), 'jobs'],
    ['in the query', `${dropIn}?access_token=token-of-jobs&limit=2`, {}, 'jobs'],
    ['behind others', `${dropIn}?api_key=x&limit=2&access_token=token-of-jobs`, {}, 'jobs'],
    ['in any spelling', `${dropIn}?limit=2&%61ccess%5Ftoke%6e=%74oken-of-jobs`, {}, 'jobs'],
    ['encoded', `${dropIn}?access_token=t%2Fo%2Bk%3De~n`, {}, 'etl'],
    ['not encoded', `${dropIn}?access_token=t/o+k=e~n`, {}, 'etl'],
    ['on a path that is none', `/v2/lists?access_token=token-of-jobs`, {}, 'jobs'],
    ['in the header before the query', `${dropIn}?access_token=t%2Fo%2Bk%3De~n`, bearer('token-of-jobs'), 'jobs'],
    ["in the query beside Constant Contact's", `${dropIn}?access_token=token-of-jobs`, bearer('of-theirs'), 'jobs'],
    ["in the header beside Constant Contact's", `${dropIn}?access_token=of-theirs`, bearer('token-of-jobs'), 'jobs'],
    ['given twice', `${dropIn}?access_token=token-of-jobs&access_token=token-of-jobs`, {}, 'default'],
    ['as the key', `${dropIn}?api_key=token-of-jobs`, {}, 'default'],
    ['as its digest', dropIn, bearer(sha256('token-of-jobs')), 'default'],
    ['with another scheme', dropIn, { authorization: 'Basic token-of-jobs' }, 'default'],
    [
      'of another team, from a network that comes first',
      dropIn,
      { ...bearer('token-of-jobs'), 'x-forwarded-for': '10.1.0.1' },
      'office',
    ],
    [
      "of Constant Contact's, from a network",
      dropIn,
      { ...bearer('of-theirs'), 'x-forwarded-for': '10.1.0.1' },
      'office',
    ],
    ['in the query of our own path', `${path}?access_token=token-of-jobs`, {}, 'default'],
  ])('%s', async (_, target, headers, team) => {
    await up();
    expect(teamOf(await to(target, { 'x-forwarded-for': '10.9.0.1', ...headers }))).toBe(team);
    expect(teamOf(await to(target, { 'x-forwarded-for': '10.9.0.1', ...headers }, 'HEAD'))).toBe(team);
  });

  test.each([true, false])('applies to no other request of its connection (pipelined: %s)', async (isAtOnce) => {
    await up();
    const token = ['Authorization: Bearer token-of-jobs'];
    const sequence: [string, readonly string[], string][] = [
      [path, [], 'default'],
      [dropIn, token, 'jobs'],
      [dropIn, [], 'default'],
      [path, [], 'default'],
      [`${dropIn}?access_token=token-of-jobs`, [], 'jobs'],
      [dropIn, [], 'default'],
      [`${dropIn}?access_token=t%2Fo%2Bk%3De~n`, [], 'etl'],
      [path, token, 'jobs'],
      [`${dropIn}?access_token=t%2Fo%2Bk%3De~n`, token, 'jobs'],
      [path, [], 'default'],
      ['/v2/lists', token, 'jobs'],
      [path, [], 'default'],
    ];
    const twice = [...sequence, ...sequence];
    const answers = await onOneConnection(
      twice.map(([target, fields]) => wire(target, fields)),
      isAtOnce,
    );
    const given = answers.map((answer) => /RateLimit: "(\w+)"/.exec(answer)?.[1]);
    expect(given).toEqual(twice.map(([, , team]) => team));
  });

  test('is needed where teams are required; nothing else is accepted', async () => {
    await up({ SENDGATE_CALLERS_REQUIRED: 'true', SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '4' });
    expect((await to(dropIn, bearer('token-of-jobs'))).status).toBe(200);
    expect((await to(`${dropIn}?access_token=token-of-jobs`)).status).toBe(200);
    const unknown = [
      await to(dropIn),
      await to(dropIn, bearer('of-theirs')),
      await to(`${dropIn}?access_token=of-theirs&api_key=x`),
      await to('/v2/lists', bearer('of-theirs')),
      // Unknown callers are counted by address, with any token.
      await to(`${dropIn}?access_token=another`),
    ];
    expect(unknown.map(({ status }) => status)).toEqual([401, 401, 401, 401, 429]);
    const [first] = unknown;
    expect(first?.headers['www-authenticate']).toBe('Bearer realm="sendgate"');
    expect(first?.headers['vary']).toContain('Authorization');
    expect(JSON.parse(first?.body ?? '')).toEqual([
      { error_key: 'http.status.authentication.invalid_token', error_message: expect.any(String) },
    ]);
    expect((await to(dropIn, bearer('token-of-jobs'))).status).toBe(200);
    expect(it.sandbox.callCount).toBe(1);
  });
});

test('a stripped credential remains in no part of the request', async () => {
  await up();
  const server = createServer({ joinDuplicateHeaders: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', (req: IncomingMessage, res) => {
    const tokens = takeCredentials(req);
    const { url: target, headers, headersDistinct, rawHeaders } = req;
    res.end(JSON.stringify({ tokens, request: { target, headers, headersDistinct, rawHeaders } }));
  });
  const taken = async (target: string, headers: Record<string, string | string[]>) =>
    JSON.parse((await ask(`${url}${target}`, headers)).body);
  const one = await taken('/v2/x?a=1&access_token=5ecret-2&api_key=5ecret-3', {
    'X-A': '1',
    authorization: 'Bearer 5ecret-1',
  });
  expect(one.tokens).toEqual(['5ecret-1', '5ecret-2']);
  expect(one.request).toMatchObject({ target: '/v2/x?a=1', headers: { 'x-a': '1' } });
  expect(one.request.rawHeaders.slice(0, 2)).toEqual(['X-A', '1']);
  const two = await taken('/v2/x?api_key=5ecret', {
    AUTHORIZATION: ['Bearer 5ecret-1', 'Bearer 5ecret-2'],
    'x-a': '1',
  });
  expect([two.tokens, two.request.target]).toEqual([[], '/v2/x']);
  for (const { request } of [one, two]) {
    expect(JSON.stringify(request)).not.toContain('5ecret');
    expect(request.headers).not.toHaveProperty('authorization');
  }
  server.close();
});

test('no credential of a request is kept, whatever its outcome', async () => {
  await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '40' });
  const secret = '5ecret-of-a-caller';
  const query = `api_key=${secret}-1&access_token=${secret}-2`;
  const odd = [
    query,
    `${query}&${query}`,
    `limit=2&%61pi_key=${secret}`,
    `api_ke%79=${secret}&x=${secret}`,
    `&&${query}&`,
    `access_token`,
    `${query}#${secret}`,
  ];
  const targets = [dropIn, '/v2/lists', '/v2', `${dropIn}/`, '//v2/lists', '/%762/lists', `${dropIn}/more`];
  const answers: string[] = [];
  const collect = async (target: string, headers: Record<string, string> = {}, method?: string) => {
    const { body, headers: given } = await to(target, { ...bearer(`${secret}-3`), ...headers }, method);
    answers.push(body, JSON.stringify(given));
  };
  for (const target of targets) for (const search of odd) await collect(`${target}?${search}`);
  for (const headers of [
    { host: 'evil.example' },
    { origin: 'https://evil.example' },
    { expect: 'tea' },
    { accept: 'a/b' },
  ])
    await collect(`${dropIn}?${query}`, headers);
  await collect(`${dropIn}?${query}`, {}, 'POST');
  it.clock.forward(60);
  it.sandbox.fault({ kind: 'echo' });
  await collect(`/v2/emailmarketing/campaigns/2/tracking/sends?${query}`);
  const { socket, closed } = await dial(it.url);
  socket.write(wire(`http://localhost${dropIn}?${query}`, [`Authorization: Bearer ${secret}`]));
  socket.write(wire(`${dropIn}?${query}`, [`Authorization: Bearer ${secret}`], 'CONNECT'));
  answers.push(await closed);
  await until(() => it.lines.length >= answers.length / 2, 'the lines are written');
  const sentUp = JSON.stringify(it.sandbox.calls.map(({ path: up, query: asked, headers }) => [up, asked, headers]));
  for (const text of [answers.join('\n'), it.lines.join(''), sentUp]) {
    expect(text).not.toBe('');
    expect(text).not.toContain(secret);
  }
});

test('only the first twenty parameters of a query are searched', async () => {
  await up();
  const filled = (count: number) => 'api_key=x&'.repeat(count);
  const within = await to(`${dropIn}?${filled(19)}access_token=token-of-jobs`);
  expect([within.status, teamOf(within)]).toEqual([200, 'jobs']);
  for (const last of [
    'access_token=token-of-jobs',
    'limit=1',
    `api_key=${'5ecret'.repeat(2_000)}`,
    '&'.repeat(14_000),
  ]) {
    const beyond = await to(`${dropIn}?${filled(20)}${last}`);
    expect([beyond.status, teamOf(beyond)]).toEqual([400, 'default']);
    expect(beyond.body).toContain('parameters_beyond_20 is not a parameter');
    expect(beyond.body).not.toContain('5ecret');
  }
});
