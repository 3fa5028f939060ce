/**
 * The fast path serves hits before Express: with the same bytes, headers and count.
 */
import { createHash } from 'node:crypto';
import { Agent, type IncomingMessage, request, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { allReports } from '../src/model/reports.ts';
import { FakeClock } from './support/clock.ts';
import { api, type Harness, idOf, start, targetOf, until } from './support/harness.ts';

const path = targetOf('/ctct/campaigns/1/sends');
let it: Harness;

beforeAll(async () => {
  // A stopped clock: two responses are compared verbatim.
  it = await start({ SENDGATE_SERVER_BASE_PATH: '/ctct' }, {}, api, new FakeClock(Date.now()));
  it.sandbox.campaign({ id: '1', size: 900, newestMs: Date.now() - 86_400_000 });
  await it.get(path);
});
afterAll(() => it.close());

function ask(target: string, headers: Record<string, string>, method = 'GET') {
  return new Promise<{ status: number; headers: string[]; body: string }>((resolve, reject) => {
    const { hostname, port } = new URL(it.url);
    request(
      { hostname, port, path: target, method, headers: { 'x-request-id': 'same-for-both', ...headers } },
      (res) => {
        const parts: Buffer[] = [];
        res.on('data', (part) => parts.push(part));
        res.on('end', () => {
          // Masks what differs between any two responses: requests left, and the time.
          const own = res.rawHeaders.map((text) => text.replace(/; r=\d+; t=\d+$/, '; r=?; t=?'));
          const date = own.indexOf('Date');
          own.splice(date, 2);
          resolve({ status: res.statusCode ?? 0, headers: own, body: Buffer.concat(parts).toString('base64') });
        });
      },
    )
      .on('error', reject)
      .end();
  });
}

/** With a trailing slash or an encoded character a target means the same page, and is left to Express. */
const encoded = `%${idOf('1').charCodeAt(0).toString(16)}${idOf('1').slice(1)}`;
const expressTargets = [`${path}/`, `/ctct/campaigns/${encoded}/sends`];

describe.each(expressTargets)('the fast path and Express respond alike, to %s', (long) => {
  test.each([
    ['GET', '', {}],
    ['GET', '', { 'accept-encoding': 'gzip, deflate, br' }],
    ['GET', '', { 'accept-encoding': 'gzip' }],
    ['HEAD', '', { 'accept-encoding': 'gzip' }],
    ['GET', '', { 'if-none-match': '*' }],
    ['GET', '?limit=500', {}],
    ['GET', '?limit=0', {}],
    ['GET', '?api_key=x', {}],
    ['GET', '', { accept: 'text/csv' }],
    ['GET', '', { host: 'evil.example' }],
    ['POST', '', {}],
    ['OPTIONS', '', {}],
  ])('%s %s %j', async (method, search, headers) => {
    const targets = [path, long].map((target) => `${target}${search}`);
    const [fast, express] = await Promise.all(targets.map((target) => ask(target, headers, method)));
    expect(fast).toEqual(express);
  });
});

test('every request is counted and logged once, on the fast path and through Express', async () => {
  const left = async (target: string) =>
    Number(/r=(\d+)/.exec((await it.get(target)).headers.get('ratelimit') ?? '')?.[1]);
  const before = await left(path);
  expect(await left(expressTargets[0] ?? '')).toBe(before - 1);
  expect(await left(path)).toBe(before - 2);
  expect(await left(`${path}?limit=0`)).toBe(before - 3);
  const lines = it.lines.length;
  await it.get(path);
  await it.get(`${path}?limit=0`);
  await until(() => it.lines.length === lines + 2, 'both are logged');
  const line = JSON.parse(it.lines[lines] ?? '');
  expect(line).toMatchObject({ route: '/campaigns/:id/sends', campaign: idOf('1'), cache: 'fresh', status: 200 });
});

test('a hit takes the fast path, and only other requests pass Express', async () => {
  const { pages } = it.service;
  const { hit } = pages;
  const stacks: string[] = [];
  pages.hit = (...question) => {
    stacks.push(new Error().stack ?? '');
    return hit.apply(pages, question);
  };
  for (const target of [path, `${path}?limit=500`, ...expressTargets]) await it.get(target);
  pages.hit = hit;
  expect(stacks.map((stack) => /node_modules\/(?:express|router)\//.test(stack))).toEqual([false, false, true, true]);
});

test('so does a hit of every resource, with the same bytes as through Express', async () => {
  const tails = [...allReports.map(({ name }) => `/${name}`), '/summary', '/links', ''];
  const paths = ['/ctct/campaigns', ...tails.map((tail) => targetOf(`/ctct/campaigns/1/`).slice(0, -1) + tail)];
  for (const target of [...paths, targetOf('/ctct/campaigns/1/clicks?link_id=1')]) {
    await it.get(target);
    const { pages } = it.service;
    const { hit } = pages;
    let isFast = false;
    pages.hit = (...question) => {
      isFast = !/node_modules\/(?:express|router)\//.test(new Error().stack ?? '');
      return hit.apply(pages, question);
    };
    const fast = await ask(target, {});
    pages.hit = hit;
    expect([target, isFast, fast.status]).toEqual([target, true, 200]);
    const [path = '', search] = target.split('?');
    expect(await ask(search === undefined ? `${path}/` : `${path}/?${search}`, {})).toEqual(fast);
  }
});

test('the fast writer is in use: of the hits of one second, node:http writes the header of the first alone', async () => {
  expect(it.lines.join('')).not.toContain('http.plain_writer');
  const { writeHead } = ServerResponse.prototype;
  let written = 0;
  ServerResponse.prototype.writeHead = function (this: ServerResponse, ...values: unknown[]) {
    written++;
    return Reflect.apply(writeHead, this, values);
  } as typeof writeHead;
  const hits = 20;
  for (let n = 0; n < hits; n++) await it.get(path);
  ServerResponse.prototype.writeHead = writeHead;
  // However slow the machine, and whenever seconds begin: the plain writer has it write all of them.
  expect(written).toBeLessThan(hits);
});

describe('an error after the request is counted', () => {
  const { end, writeHead } = ServerResponse.prototype;
  const left = async () => Number(/r=(\d+)/.exec((await it.get(path)).headers.get('ratelimit') ?? '')?.[1]);
  /** Log lines of the request, its own and those of errors. */
  const linesOf = (id: string) => it.lines.filter((line) => line.includes(id)).map((line) => JSON.parse(line));
  afterEach(() => void Object.assign(ServerResponse.prototype, { end, writeHead }));

  test('before the response is one 500, counted and logged once', async () => {
    const before = await left();
    ServerResponse.prototype.writeHead = () => {
      ServerResponse.prototype.writeHead = writeHead;
      throw new TypeError('unforeseen');
    };
    const { status, headers } = await ask(path, { connection: 'close', 'x-request-id': 'fails-early' });
    expect(status).toBe(500);
    for (const name of ['RateLimit', 'X-Request-Id']) {
      expect(headers.filter((text, at) => at % 2 === 0 && text === name)).toHaveLength(1);
    }
    expect(await left()).toBe(before - 2);
    await until(() => linesOf('fails-early').length === 2, 'both are logged');
    expect(linesOf('fails-early')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ event: 'service.unexpected_error' }),
        expect.objectContaining({ status: 500, problem: 'internal-error' }),
      ]),
    );
  });

  test('in the middle of the response closes the connection; the request is counted and logged once', async () => {
    const before = await left();
    ServerResponse.prototype.end = () => {
      ServerResponse.prototype.end = end;
      throw new TypeError('unforeseen');
    };
    await expect(ask(path, { 'x-request-id': 'fails-late' })).rejects.toThrow();
    expect(await left()).toBe(before - 2);
    await until(() => linesOf('fails-late').length === 2, 'both are logged');
    expect(linesOf('fails-late')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ event: 'service.unexpected_error' }),
        expect.objectContaining({ status: 500, problem: 'internal-error' }),
      ]),
    );
  });
});

test('an error of the cache is a 500 and logged, on the fast path and through Express', async () => {
  const { hit } = it.service.pages;
  it.service.pages.hit = () => {
    throw new TypeError('unforeseen');
  };
  const lines = it.lines.length;
  const statuses = await Promise.all(
    [path, expressTargets[0] ?? ''].map(async (target) => (await it.get(target)).status),
  );
  it.service.pages.hit = hit;
  expect(statuses).toEqual([500, 500]);
  const errors = () => it.lines.slice(lines).filter((line) => line.includes('"event":"service.unexpected_error"'));
  await until(() => errors().length === 2, 'both are logged');
});

describe('a connection', () => {
  const open: (() => unknown)[] = [];
  afterEach(async () => {
    for (let close = open.pop(); close; close = open.pop()) await close();
  });

  /** Everything received for requests sent at once, until the server closes. */
  async function exchange(...requests: readonly string[]): Promise<string> {
    const { hostname, port } = new URL(it.url);
    const socket = connect(Number(port), hostname);
    socket.write(requests.join(''));
    let text = '';
    for await (const part of socket) text += part.toString('latin1');
    return text;
  }
  const get = (...fields: readonly string[]) => `GET ${path} ${fields.join('\r\n')}\r\n\r\n`;
  const headsOf = (text: string) => text.match(/HTTP\/1\.1 [^{]+?\r\n\r\n/g) ?? [];

  test('gets a response for each pipelined request, with the same header each, and closes on Connection: close', async () => {
    const open = get('HTTP/1.1', 'Host: localhost', 'X-Request-Id: same-for-all');
    const last = get('HTTP/1.1', 'Host: localhost', 'X-Request-Id: same-for-all', 'Connection: close');
    const heads = headsOf(await exchange(open, open, open, last));
    expect(heads).toHaveLength(4);
    const lines = heads.map((head) => head.replace(/(?<=; )r=\d+; t=\d+/, '').split('\r\n'));
    const own = (head: string[] | undefined) => head?.filter((line) => !/^(Connection|Keep-Alive|Date): /.test(line));
    for (const head of lines) expect(own(head)?.sort()).toEqual(own(lines[0])?.sort());
    for (const head of lines) expect(head.filter((line) => line.startsWith('Date: '))).toHaveLength(1);
    for (const head of lines.slice(0, 3)) {
      expect(head).toEqual(expect.arrayContaining(['Connection: keep-alive', expect.stringMatching(/^Keep-Alive: /)]));
    }
    expect(lines[3]).toContain('Connection: close');
  });

  test('of HTTP/1.0 is closed after the response', async () => {
    const [head] = headsOf(await exchange(get('HTTP/1.0', 'Host: localhost')));
    expect(head).toContain('HTTP/1.1 200 OK\r\n');
    expect(head).toContain('Connection: close\r\n');
  });

  test('gets the current Date', async () => {
    const dates: number[] = [];
    for (let n = 0; n < 3; n++) {
      const { headers } = await fetch(`${it.url}${path}`);
      dates.push(Date.parse(headers.get('date') ?? ''));
      expect(Math.abs((dates[n] ?? 0) - Date.now())).toBeLessThan(5_000);
      await new Promise((resolve) => setTimeout(resolve, 700));
    }
    expect(new Set(dates).size).toBeGreaterThan(1);
  });

  test('evaluates each request by its own headers', async () => {
    const sha256 = (token: string) => createHash('sha256').update(token).digest('hex');
    const teams = [
      { name: 'web', tokensSha256: [sha256('token-of-web')] },
      { name: 'jobs', tokensSha256: [sha256('token-of-jobs')] },
      { name: 'office', networks: ['10.1.0.0/16'] },
    ];
    const guarded = await start({
      SENDGATE_TEAMS: JSON.stringify(teams),
      SENDGATE_CALLERS_REQUIRED: 'true',
      SENDGATE_SERVER_TRUST_PROXY: 'loopback',
    });
    open.push(() => guarded.close());
    guarded.sandbox.campaign({ id: '1', size: 5, newestMs: Date.now() - 86_400_000 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    open.push(() => agent.destroy());
    const ports = new Set<number | undefined>();
    const answer = (headers: Record<string, string>) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const asked = request(`${guarded.url}${targetOf('/campaigns/1/sends')}`, { agent, headers }, (res) => {
          ports.add(res.socket.localPort);
          res.resume().on('end', () => resolve(res));
        });
        asked.on('error', reject).end();
      });
    const web = { authorization: 'Bearer token-of-web' };
    const office = { 'x-forwarded-for': '10.1.2.3' };
    const { etag = '' } = (await answer(web)).headers;
    const team = (name: string) => ({ ratelimit: expect.stringMatching(`^"${name}"; `) });
    const sequence: [Record<string, string>, number, object][] = [
      [web, 200, team('web')],
      [{ authorization: 'Bearer token-of-jobs' }, 200, team('jobs')],
      [{}, 401, {}],
      [office, 200, team('office')],
      [{ 'x-forwarded-for': '10.2.2.3' }, 401, {}],
      [{ ...office, authorization: 'Bearer token-of-web' }, 200, team('web')],
      [{ ...office, host: 'evil.example' }, 421, {}],
      [{ ...office, origin: 'https://evil.example' }, 403, {}],
      [{ ...office, accept: 'text/csv' }, 406, {}],
      [{ ...office, 'accept-encoding': 'br' }, 200, { 'content-encoding': 'br' }],
      [{ ...office, 'accept-encoding': 'gzip' }, 200, { 'content-encoding': 'gzip' }],
      [{ ...office, 'if-none-match': etag }, 304, {}],
      [{ ...office, 'if-none-match': 'W/"another"' }, 200, {}],
      [{ ...office, 'x-request-id': 'one-of-these' }, 200, { 'x-request-id': 'one-of-these' }],
      [office, 200, { 'x-request-id': expect.stringMatching(/^[\da-f]{32}$/) }],
    ];
    for (const [headers, status, fields] of [...sequence, ...sequence]) {
      for (let n = 0; n < 3; n++) {
        const given = await answer(headers);
        expect([headers, given.statusCode, given.headers]).toEqual([headers, status, expect.objectContaining(fields)]);
      }
    }
    expect(ports.size).toBe(1);
  });
});
