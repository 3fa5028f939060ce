import { createHash } from 'node:crypto';
import { request as rawRequest } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import supertest from 'supertest';
import { documentedCampaign } from '../src/sandbox/sandbox.ts';
import { apiKey, type Harness, oauth, start, targetOf } from './support/harness.ts';

const path = '/campaigns/1100394165287/sends';
let it: Harness;

beforeAll(async () => {
  it = await start();
  it.sandbox.campaign(documentedCampaign);
  it.sandbox.campaign({ id: '7', size: 500, newestMs: Date.now() });
  it.sandbox.campaign({ id: '8', size: 0, newestMs: 0 });
  await it.get(path);
});
afterAll(() => it.close());

/** The bytes as they are on the wire; fetch would decode them. */
function raw(target: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number; headers: Record<string, string>; body: Buffer }>((resolve, reject) => {
    const { hostname, port } = new URL(it.url);
    const req = rawRequest({ hostname, port, path: targetOf(target), method, headers }, (res) => {
      const parts: Buffer[] = [];
      res.on('data', (part) => parts.push(part));
      res.on('end', () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers as Record<string, string>,
          body: Buffer.concat(parts),
        }),
      );
    });
    req.on('error', reject);
    req.end();
  });
}

describe('the headers of a page', () => {
  test('match the contract', async () => {
    const { headers } = await it.get(path, { 'x-request-id': 'from-a-proxy.1' });
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/json',
      etag: expect.stringMatching(/^W\/"[\w-]{22}"$/),
      'last-modified': 'Thu, 06 Dec 2012 13:06:14 GMT',
      age: '0',
      'cache-control': 'private, no-cache',
      vary: 'Accept-Encoding',
      'cache-status': expect.stringMatching(/^sendgate; hit; ttl=\d+$/),
      ratelimit: expect.stringMatching(/^"default"; r=\d+; t=\d+$/),
      'ratelimit-policy': expect.stringMatching(/^"default"; q=1000000; w=60/),
      'x-request-id': 'from-a-proxy.1',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  test('include a request id: a valid one from the caller, else a new one', async () => {
    const ours = /^[0-9a-f]{32}$/;
    expect((await it.get(path)).headers.get('x-request-id')).toMatch(ours);
    expect((await it.get(path, { 'x-request-id': 'a b"c<script>' })).headers.get('x-request-id')).toMatch(ours);
    expect((await it.get(path, { 'x-request-id': 'x'.repeat(65) })).headers.get('x-request-id')).toMatch(ours);
    const answers = await Promise.all(Array.from({ length: 200 }, () => it.get(path)));
    expect(new Set(answers.map(({ headers }) => headers.get('x-request-id'))).size).toBe(200);
  });

  test('include the cache outcome', async () => {
    expect((await it.get('/campaigns/7/sends?limit=3')).headers.get('cache-status')).toBe(
      'sendgate; fwd=uri-miss; fwd-status=200; stored',
    );
    expect((await it.get('/campaigns/7/sends?limit=3')).headers.get('cache-status')).toBe('sendgate; hit; ttl=60');
    it.clock.forward(20);
    const later = await it.get('/campaigns/7/sends?limit=3');
    expect(later.headers.get('cache-status')).toBe('sendgate; hit; ttl=40');
    expect(later.headers.get('age')).toBe('20');
  });

  test('of an empty page omit Last-Modified', async () => {
    const { headers } = await it.get('/campaigns/8/sends');
    expect(headers.get('last-modified')).toBeNull();
    expect(headers.get('etag')).not.toBeNull();
  });
});

describe('the encoding', () => {
  const decode: Record<string, (body: Buffer) => Buffer> = {
    br: brotliDecompressSync,
    gzip: gunzipSync,
    identity: (body) => body,
  };

  test.each([
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate, br, zstd', 'br'],
    ['br;q=0.5, gzip', 'gzip'],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['deflate', 'identity'],
    ['identity', 'identity'],
    ['br;q=0, gzip;q=0', 'identity'],
    ['*', 'br'],
    ['', 'identity'],
    ['identity;q=0, *;q=0', 'identity'],
    [`${'x'.repeat(300)}, gzip`, 'gzip'],
  ])('for %j is %s, with the same content', async (accepted, encoding) => {
    const identity = await raw('/campaigns/7/sends', { 'accept-encoding': 'identity' });
    for (let twice = 0; twice < 2; twice++) {
      const { headers, body } = await raw('/campaigns/7/sends', { 'accept-encoding': accepted });
      expect(headers['content-encoding']).toBe(encoding === 'identity' ? undefined : encoding);
      expect(headers['content-length']).toBe(String(body.length));
      expect(headers['vary']).toBe('Accept-Encoding');
      expect(decode[encoding]?.(body).equals(identity.body)).toBe(true);
      expect(headers['etag']).toBe(identity.headers['etag']);
    }
  });

  test('is identity without Accept-Encoding', async () => {
    expect((await raw('/campaigns/7/sends')).headers['content-encoding']).toBeUndefined();
  });
});

describe('a conditional request', () => {
  let etag = '';
  beforeAll(async () => {
    etag = (await it.get(path)).headers.get('etag') ?? '';
  });

  test.each([
    ['the tag', () => ({ 'if-none-match': etag })],
    ['the tag as a strong one', () => ({ 'if-none-match': etag.slice(2) })],
    ['a list with the tag', () => ({ 'if-none-match': `"a", ${etag}, "b"` })],
    ['a star', () => ({ 'if-none-match': '*' })],
    ['the tag, on a reload', () => ({ 'if-none-match': etag, 'cache-control': 'no-cache' })],
    ['the date', () => ({ 'if-modified-since': 'Thu, 06 Dec 2012 13:06:14 GMT' })],
    ['a later date', () => ({ 'if-modified-since': 'Fri, 07 Dec 2012 13:06:14 GMT' })],
  ])('with %s gets 304 and no body', async (_, headers) => {
    const answer = await raw(path, headers());
    expect(answer.status).toBe(304);
    expect(answer.body).toHaveLength(0);
    expect(answer.headers).toMatchObject({ etag, 'cache-control': 'private, no-cache', vary: 'Accept-Encoding' });
    expect(answer.headers['content-type']).toBeUndefined();
    expect(answer.headers['link']).toBeDefined();
  });

  test.each([
    ['another tag', () => ({ 'if-none-match': 'W/"other"' })],
    ['an earlier date', () => ({ 'if-modified-since': 'Thu, 06 Dec 2012 13:06:13 GMT' })],
    [
      'another tag and the date',
      () => ({ 'if-none-match': '"x"', 'if-modified-since': 'Fri, 07 Dec 2012 13:06:14 GMT' }),
    ],
    ['nonsense', () => ({ 'if-modified-since': 'soon' })],
  ])('with %s gets the page', async (_, headers) => {
    expect((await raw(path, headers())).status).toBe(200);
  });

  test('matches the same page after a restart, and on another instance', async () => {
    const body = (await raw(path)).body;
    expect(etag).toBe(`W/"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`);
  });
});

describe('the methods', () => {
  test('HEAD is GET without the body', async () => {
    const [get, head] = [
      await raw(path, { 'accept-encoding': 'br' }),
      await raw(path, { 'accept-encoding': 'br' }, 'HEAD'),
    ];
    // A second may pass between the two.
    const steady = ({ date, age, 'x-request-id': _, ratelimit, ...rest }: Record<string, string>) => ({
      ...rest,
      'cache-status': rest['cache-status']?.replace(/\d+/, ''),
    });
    expect(head.status).toBe(200);
    expect(head.body).toHaveLength(0);
    expect(steady(head.headers)).toEqual(steady(get.headers));
  });

  test('OPTIONS lists the methods', async () => {
    const answer = await raw(path, {}, 'OPTIONS');
    expect(answer.status).toBe(204);
    expect(answer.headers['allow']).toBe('GET, HEAD, OPTIONS');
  });

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('%s is 405 with Allow', async (method) => {
    const answer = await raw(path, {}, method);
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toBe('GET, HEAD, OPTIONS');
    expect(JSON.parse(answer.body.toString())).toMatchObject({ type: '/problems/method-not-allowed', status: 405 });
  });
});

describe('Accept', () => {
  test.each([
    'application/json',
    '*/*',
    'application/*',
    'text/html, application/json;q=0.1',
    'application/json; charset=utf-8',
    '',
  ])('%j gets the page', async (accept) => {
    expect((await raw(path, { accept })).status).toBe(200);
  });
  test.each(['text/csv', 'application/json;q=0', 'text/*'])('%j gets 406', async (accept) => {
    await supertest(it.url)
      .get(path)
      .set('accept', accept)
      .expect(406)
      .expect('content-type', 'application/problem+json')
      .expect(({ body }) => expect(body.type).toBe('/problems/not-acceptable'));
  });
});

describe('an unknown resource', () => {
  test.each([
    '/purge',
    '/campaign',
    '/campaigns/1/likes',
    '/campaigns//sends',
    '/Campaigns/1/sends',
    '/campaigns/1/sends/x',
    '/metrics',
    '/livez',
  ])('%s gets 404 as a problem', async (target) => {
    const answer = await raw(target);
    expect(answer.status).toBe(404);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(JSON.parse(answer.body.toString())).toEqual({
      type: '/problems/not-found',
      title: expect.any(String),
      status: 404,
      detail: expect.any(String),
      instance: answer.headers['x-request-id'],
    });
  });

  test('HEAD of an unknown path has no body', async () => {
    const answer = await raw('/nowhere', {}, 'HEAD');
    expect(answer.status).toBe(404);
    expect(answer.body).toHaveLength(0);
  });

  test('a path that cannot be decoded gets 400', async () => {
    expect((await raw('/campaigns/%ZZ/sends')).status).toBe(400);
  });
});

test('a percent-encoded id gets the same page', async () => {
  const before = it.sandbox.callCount;
  const [, first = '', rest] = /^\/campaigns\/(.)(.*)$/.exec(targetOf(path)) ?? [];
  expect((await raw(`/campaigns/%${first.charCodeAt(0).toString(16)}${rest}?limit=500`)).status).toBe(200);
  expect(it.sandbox.callCount).toBe(before);
});

test('a credential in the query is refused and appears nowhere', async () => {
  const answer = await raw(`${path}?api_key=callers-own-key&limit=1`);
  expect(answer.status).toBe(400);
  expect(answer.body.toString()).not.toContain('callers-own-key');
  expect(it.lines.join('')).not.toContain('callers-own-key');
});

test('no input causes a 5xx, or a call with non-canonical values', async () => {
  const noise = fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 20 }).map((text) => text.replace(/[^\x21-\x7e]/g, '%')),
    fc.string({ unit: 'binary', maxLength: 8 }).map((text) => encodeURIComponent(text)),
    fc.constantFrom(
      'next=',
      'limit=',
      'created_since=',
      '&',
      '%',
      '%00',
      '%zz',
      '..',
      '/',
      '?',
      '//evil.example/',
      '2012-12-06',
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(noise, { maxLength: 6 }), fc.array(noise, { maxLength: 6 }), async (id, search) => {
      const answer = await raw(`/campaigns/${id.join('')}/sends?${search.join('')}`);
      expect(answer.status).toBeLessThan(500);
      for (const secret of [apiKey, ...Object.values(oauth)]) expect(answer.body.toString()).not.toContain(secret);
    }),
    { numRuns: 300 },
  );
  for (const { query } of it.sandbox.calls) {
    expect(query['limit'] ?? '1').toMatch(/^\d{1,3}$/);
    expect(query['created_since'] ?? '2012-12-06T00:00:00.000Z').toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }
});
