/**
 * What responses and outputs reveal: pages that require a token, who is counted, what identifies a team, and policies for a
 * shared host.
 */
import { createHash, createHmac } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { effectiveConfig } from '../../src/config/effective.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ask } from '../support/ask.ts';
import { type Environment, type Harness, start, targetOf } from '../support/harness.ts';

const path = targetOf('/campaigns/1/sends');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const teams = [
  { name: 'jobs', tokensSha256: [sha256('token-of-jobs')] },
  { name: 'bi', header: { name: 'X-Team', value: 'value-of-bi' } },
];
const withTokens = { SENDGATE_TEAMS: JSON.stringify(teams), SENDGATE_SERVER_TRUST_PROXY: 'loopback' };

let it: Harness;
async function up(env: Environment) {
  it = await start(env);
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() - 86_400_000 });
}
afterEach(() => it?.close());
const to = (target: string, headers: Record<string, string> = {}, method?: string) =>
  ask(`${it.url}${target}`, headers, method);

describe('where a team has tokens, Vary includes Authorization', () => {
  const varies = ({ headers }: { headers: Readonly<Record<string, string | undefined>> }) =>
    (headers['vary'] ?? '').split(', ').sort();

  test('on every answer: pages, 304s, errors, exports, details, redirects and the status', async () => {
    await up({ ...withTokens, SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '12' });
    const token = { authorization: 'Bearer token-of-jobs' };
    const { headers } = await to(path, token);
    const kinds: [number, string, Record<string, string>, string?][] = [
      [200, path, token],
      [200, path, {}],
      [304, path, { ...token, 'if-none-match': headers['etag'] ?? '' }],
      [406, path, { accept: 'image/png' }],
      [400, `${path}?limit=0`, token],
      [404, '/nothing', {}],
      [405, path, {}, 'POST'],
      [204, path, {}, 'OPTIONS'],
      [200, `${path}.csv`, token],
      [200, `${path}.ndjson`, {}],
      ...['/campaigns', '', '/summary', '/links', '/opens'].map((tail): [number, string, Record<string, string>] => [
        200,
        tail === '/campaigns' ? tail : `/campaigns/1${tail}`,
        token,
      ]),
      [308, `${path}/summary`, token],
      [200, '/status', {}],
      [403, path, { origin: 'https://evil.example' }],
      [421, path, { host: 'evil.example' }],
    ];
    for (const [status, target, fields, method] of kinds) {
      const answer = await to(target, fields, method);
      expect([target, answer.status, varies(answer)]).toEqual([
        ...[target, status],
        expect.arrayContaining(['Authorization']),
      ]);
    }
    for (let n = 0; n < 12; n++) await to(path);
    const refused = await to(path);
    expect([refused.status, varies(refused)]).toEqual([429, ['Authorization']]);
  });

  test('with Origin and Accept-Encoding, but not on resources that are the same for all', async () => {
    await up({ ...withTokens, SENDGATE_CALLERS_CORS_ORIGINS: 'https://dashboards.example.com' });
    await to(path);
    for (let n = 0; n < 2; n++) expect(varies(await to(path))).toEqual(['Accept-Encoding', 'Authorization', 'Origin']);
    expect(varies(await to('/docs'))).toEqual(['Accept-Encoding']);
  });

  test('only if there are tokens', async () => {
    await up({});
    expect(varies(await to(path))).toEqual(['Accept-Encoding']);
  });
});

test('the partition key of RateLimit-Policy is stable, and confirms no guessed address', async () => {
  await up({});
  const keyOf = async (harness: Harness) =>
    /pk=:(.+):$/.exec((await ask(`${harness.url}${path}`)).headers['ratelimit-policy'] ?? '')?.[1] ?? '';
  const key = await keyOf(it);
  expect(key).toMatch(/^[\w+/]{12}$/);
  expect(await keyOf(it)).toBe(key);
  it.clock.forward(61);
  expect(await keyOf(it)).toBe(key);
  const other = await start({});
  try {
    expect(await keyOf(other)).not.toBe(key);
  } finally {
    await other.close();
  }
  const guess = 'default 127.0.0.1';
  const digests = [createHash('sha256').update(guess), createHmac('sha256', '').update(guess)].map((hash) =>
    hash.digest(),
  );
  for (const digest of digests) {
    expect(digest.subarray(0, 9).toString('base64')).not.toBe(key);
    expect(Buffer.from(digest.toString('hex').slice(0, 12)).toString('base64')).not.toBe(key);
  }
});

test.each(['/ctct', ''])('no response sets policy for the whole host, below %j', async (basePath) => {
  await up({ SENDGATE_SERVER_BASE_PATH: basePath });
  for (const target of [path, '/nothing', '/', '/docs', '/openapi.json']) {
    const { headers } = await to(`${basePath}${target}`);
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['content-security-policy']).not.toContain('upgrade-insecure-requests');
    for (const name of ['strict-transport-security', 'origin-agent-cluster', 'public-key-pins', 'clear-site-data']) {
      expect([target, headers[name]]).toEqual([target, undefined]);
    }
  }
});

test('the effective configuration contains nothing that lets a caller claim a team', () => {
  const shown = effectiveConfig(loadConfig({ ...withTokens, CONSTANT_CONTACT_API_KEY: 'an-api-key' }, () => ''));
  expect(shown.teams).toMatchObject([
    { name: 'jobs', tokensSha256: ['(set)'] },
    { name: 'bi', header: { name: 'X-Team', value: '(set)' } },
  ]);
  for (const value of ['value-of-bi', sha256('token-of-jobs')]) expect(JSON.stringify(shown)).not.toContain(value);
});

test.each(['Sendgate.Example.COM', 'sendgate.example.com'])(
  'the management listener accepts the allowed host %s in any case',
  async (name) => {
    await up({ SENDGATE_SERVER_ALLOWED_HOSTS: name });
    for (const host of ['sendgate.example.com', 'SENDGATE.example.com:8081', 'LOCALHOST', '[FD00::1]:8081']) {
      expect([host, (await ask(`${it.service.managementUrl}/livez`, { host })).status]).toEqual([host, 200]);
    }
    expect((await ask(`${it.service.managementUrl}/livez`, { host: 'evil.example' })).status).toBe(421);
  },
);
