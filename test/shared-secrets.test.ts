/**
 * What instances leave with Redis: pages that may be encrypted, tokens that always are.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { brotli } from '../src/cache/compression.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf } from '../src/sandbox/v3.ts';
import { readTokens, writeTokens } from '../src/upstream/oauth/token-file.ts';
import { ForwardClock } from './support/clock.ts';
import { type Environment, type Harness, oauth, startInstance, startSandbox, until } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-shared-'));
let files = 0;

let redis: RedisServer;
let sandbox: Sandbox;
let clock: ForwardClock;
let instances: Harness[];

beforeEach(async () => {
  redis = await RedisServer.start();
  clock = new ForwardClock();
  sandbox = await startSandbox({ clock });
  for (let id = 1; id <= 99; id++) sandbox.campaign({ id: String(id), size: 300, newestMs: Date.now() });
  instances = [];
});

afterEach(async () => {
  await Promise.all(instances.map((instance) => instance.close()));
  await sandbox.stop();
  await redis.stop();
});

/** One more Sendgate with the same Redis, which helps however busy the machine is. */
async function add(env: Environment = {}, version: 'v2' | 'v3' = 'v2'): Promise<Harness> {
  const patient = { REDIS_URL: redis.url, SENDGATE_REDIS_TIMEOUT_MS: '2000' };
  const instance = await startInstance(sandbox, clock, { ...patient, ...env }, version);
  instances.push(instance);
  return instance;
}

const newKey = () => randomBytes(32).toString('base64');

function keyFile(...keys: readonly string[]): string {
  const file = join(folder, `keys-${files++}`);
  writeFileSync(file, `${keys.join('\n')}\n`);
  return file;
}

const encrypted = (...keys: readonly string[]) => ({ SENDGATE_CACHE_ENCRYPTION_KEY_FILE: keyFile(...keys) });
const how = (answer: Response) => answer.headers.get('cache-status') ?? '';
const path = '/campaigns/1/sends?limit=100';
/** The page as it would be kept if it were not encrypted. */
const packed = async (from: Harness) =>
  (await brotli(Buffer.from(await (await from.get(path)).arrayBuffer()))).toString('latin1');

/** What was logged about pages in Redis that cannot be read. */
const unreadable = ({ lines }: Harness): readonly { readonly msg: string }[] =>
  lines.filter((line) => line.includes('redis.page_unreadable')).map((line) => JSON.parse(line));

describe('Pages in Redis', () => {
  test('contain no readable address in any encoding if a key is configured', async () => {
    const key = newKey();
    const [a, b] = [await add(encrypted(key)), await add(encrypted(key))];
    const { results, meta } = await a.page(path);
    await a.page(meta.pagination.next_link ?? '');
    const dump = (await redis.dump()).toString('latin1');
    for (const { email_address } of results) expect(dump).not.toContain(email_address);
    for (const text of ['@example', 'results', key]) expect(dump).not.toContain(text);
    // Nothing that could be unpacked, either.
    expect(dump).not.toContain(await packed(a));
    expect(how(await b.get(path))).toContain('detail=shared');
    expect(await b.page(path)).toEqual({ results, meta });
  });

  test('are readable in Redis without a key', async () => {
    const a = await add();
    await a.page(path);
    expect((await redis.dump()).toString('latin1')).toContain(await packed(a));
  });

  test('are read with the old key while new ones are written with the new one', async () => {
    const [old, fresh] = [newKey(), newKey()];
    const a = await add(encrypted(old));
    await a.get(path);
    const b = await add(encrypted(fresh, old));
    expect(how(await b.get(path))).toContain('detail=shared');
    await b.get('/campaigns/2/sends');
    const c = await add(encrypted(fresh));
    expect(how(await c.get('/campaigns/2/sends'))).toContain('detail=shared');
    expect((await c.get(path)).status).toBe(200);
    expect(sandbox.callCount).toBe(3);
  });

  test('are read with keys added to the file', async () => {
    const [old, fresh] = [newKey(), newKey()];
    const file = keyFile(old);
    const a = await add({ SENDGATE_CACHE_ENCRYPTION_KEY_FILE: file });
    const b = await add(encrypted(fresh));
    await b.get(path);
    writeFileSync(file, `${fresh}\n${old}\n`);
    await until(async () => {
      await b.get(`/campaigns/3/sends?limit=${++files}`);
      return how(await a.get(`/campaigns/3/sends?limit=${files}`)).includes('detail=shared');
    }, 'the new key is known');
    writeFileSync(file, 'nonsense');
    await until(() => a.lines.some((line) => line.includes('encryption_keys.unreadable')), 'it is told');
    await b.get('/campaigns/4/sends');
    expect(how(await a.get('/campaigns/4/sends'))).toContain('detail=shared');
  });

  test.each([
    ['another key', () => encrypted(newKey())],
    ['no key', () => ({})],
  ])('are missed with %s, which is logged once, and fetched again', async (_, env) => {
    const a = await add(encrypted(newKey()));
    const b = await add(env());
    for (let id = 1; id <= 5; id++) await a.get(`/campaigns/${id}/sends`);
    for (let id = 1; id <= 5; id++) {
      const answer = await b.get(`/campaigns/${id}/sends`);
      expect([answer.status, how(answer)]).toEqual([200, expect.stringContaining('fwd=uri-miss')]);
    }
    expect(unreadable(b)).toMatchObject([{ msg: expect.stringContaining('not in cache.encryptionKeyFile') }]);
    expect(sandbox.callCount).toBe(10);
  });

  test('cannot be copied to another key', async () => {
    const key = newKey();
    const [a, b] = [await add(encrypted(key)), await add(encrypted(key))];
    await a.get('/campaigns/1/sends');
    await a.get('/campaigns/2/sends');
    await redis.ask(async (client) => {
      const [from = ''] = await client.keys('sendgate:1:*|1|*limit=500');
      const [to = ''] = await client.keys('sendgate:1:*|2|*limit=500');
      await client.hset(to, 'r', (await client.hgetBuffer(from, 'r')) as Buffer);
    });
    const { results } = await b.page('/campaigns/2/sends');
    expect(results[0]?.campaign_id).toBe('2');
    expect(unreadable(b)).toMatchObject([{ msg: expect.stringContaining('damaged') }]);
  });

  test('are missed if they are not encrypted but should be', async () => {
    const a = await add();
    const b = await add(encrypted(newKey()));
    await a.get(path);
    expect(how(await b.get(path))).toContain('fwd=uri-miss');
    expect(unreadable(b)).toMatchObject([{ msg: expect.stringContaining('not encrypted') }]);
  });

  test.each([
    ['a file that is not there', () => join(folder, 'nowhere')],
    ['an empty file', () => keyFile('')],
    ['a key that is too short', () => keyFile('c2hvcnQ=')],
    ['something beside the keys', () => keyFile(newKey(), 'x')],
    ['too many keys', () => keyFile(...Array.from({ length: 17 }, newKey))],
  ])('cannot be encrypted with %s: a configuration error', async (_, file) => {
    await expect(add({ SENDGATE_CACHE_ENCRYPTION_KEY_FILE: file() })).rejects.toThrow(
      /encryptionKeyFile .*: .*openssl/,
    );
  });
});

describe("v3's tokens in Redis", () => {
  const sends = (id: number) => `/campaigns/${activityIdOf(String(id))}/sends`;
  const tokenFile = () => ({ CONSTANT_CONTACT_TOKEN_FILE: join(folder, `tokens-${files++}.json`) });

  test('are refreshed by one instance and used by all, repeatedly', async () => {
    const all = [await add(tokenFile(), 'v3'), await add(tokenFile(), 'v3'), await add(tokenFile(), 'v3')];
    for (let round = 1; round <= 4; round++) {
      const answers = await Promise.all(all.map((one, n) => one.get(sends(10 * round + n))));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(sandbox.tokenCallCount).toBe(round);
      clock.forward(86_401);
    }
  });

  test('are renewed on time without a request, once for all', async () => {
    const [a, b] = [await add(tokenFile(), 'v3'), await add(tokenFile(), 'v3')];
    await a.get(sends(1));
    await b.get(sends(2));
    clock.forward(86_400 * 0.9);
    await a.get(sends(3));
    await until(() => sandbox.tokenCallCount === 2, 'they are renewed');
    await b.get(sends(4));
    clock.forward(86_400 * 0.12);
    expect((await b.get(sends(5))).status).toBe(200);
    expect(sandbox.tokenCallCount).toBe(2);
  });

  test('include a refresh token that came without an access token, on every instance', async () => {
    const [ofA, ofB] = [tokenFile(), tokenFile()];
    const [a, b] = [await add(ofA, 'v3'), await add(ofB, 'v3')];
    await Promise.all([a.get(sends(1)), b.get(sends(2))]);
    clock.forward(86_401);
    sandbox.oauth?.shape({ answers: 'okta', oddities: ['access-missing'], times: 1 });
    await Promise.all([a.get(sends(3)), b.get(sends(4))]);
    for (const one of [a, b]) await until(async () => (await one.get(sends(5))).status === 200, 'it works again');
    expect(sandbox.tokenCallCount).toBe(3);
    for (const { lines } of [a, b]) expect(lines.some((line) => line.includes('token.refused'))).toBe(false);
  });

  test('are kept in Redis if the disk is full', async () => {
    const { CONSTANT_CONTACT_TOKEN_FILE: file } = tokenFile();
    const a = await add({ CONSTANT_CONTACT_TOKEN_FILE: file }, 'v3');
    await a.get(sends(1));
    await until(
      async () => (await redis.ask((client) => client.exists('sendgate:1:{tokens}'))) === 1,
      'they are there',
    );
    clock.forward(86_401);
    // There is a folder where the file is to be written, from the moment when the old refresh token is spent.
    sandbox.fault({ target: 'token', kind: 'latency', ms: 300, times: 1 });
    const asked = a.get(sends(2));
    await until(() => sandbox.tokenCallsRunning > 0, 'it refreshes');
    mkdirSync(`${file}.new`);
    await asked;
    await until(() => a.lines.some((line) => line.includes('"reason":"token-file"')), 'the disk has not taken them');
    const b = await add(tokenFile(), 'v3');
    expect((await b.get(sends(3))).status).toBe(200);
    expect(sandbox.tokenCallCount).toBe(2);
    rmdirSync(`${file}.new`);
  });

  test('reach an instance that was started without any', async () => {
    const a = await add(tokenFile(), 'v3');
    await a.get(sends(1));
    const b = await add({ ...tokenFile(), CONSTANT_CONTACT_REFRESH_TOKEN: '' }, 'v3');
    expect((await b.get(sends(2))).status).toBe(200);
    expect(sandbox.tokenCallCount).toBe(1);
  });

  test('cannot be read in Redis', async () => {
    const { CONSTANT_CONTACT_TOKEN_FILE: file } = tokenFile();
    const a = await add({ CONSTANT_CONTACT_TOKEN_FILE: file }, 'v3');
    await a.get(sends(1));
    await until(
      async () => (await redis.ask((client) => client.exists('sendgate:1:{tokens}'))) === 1,
      'they are there',
    );
    const stored = readTokens(file, oauth.clientId);
    expect(stored).toBeDefined();
    const dump = (await redis.dump()).toString('latin1');
    for (const secret of [stored?.accessToken, stored?.refreshToken, oauth.clientSecret, oauth.refreshToken]) {
      for (const form of [
        secret ?? '',
        Buffer.from(secret ?? '')
          .toString('base64')
          .slice(0, 16),
      ]) {
        expect(dump).not.toContain(form);
      }
    }
  });

  test('authorized by a person for one instance reach the others', async () => {
    const env = { CONSTANT_CONTACT_REFRESH_TOKEN: '' };
    const [ofA, ofB] = [tokenFile(), tokenFile()];
    const [a, b] = [await add({ ...env, ...ofA }, 'v3'), await add({ ...env, ...ofB }, 'v3')];
    expect([(await a.get(sends(1))).status, (await b.get(sends(1))).status]).toEqual([502, 502]);
    const granted = sandbox.oauth?.authorize() ?? { accessToken: '', refreshToken: '' };
    const now = clock.now();
    writeTokens(ofA.CONSTANT_CONTACT_TOKEN_FILE, {
      ...granted,
      ...{ clientId: oauth.clientId, issuedAt: now, expiresAt: now + 86_400_000 },
    });
    for (const one of [a, b]) await until(async () => (await one.get(sends(1))).status === 200, 'they are there');
  });

  test('refreshed elsewhere are not tried while Redis is down, since they may be spent', async () => {
    const [ofA, ofB] = [tokenFile(), tokenFile()];
    const a = await add(ofA, 'v3');
    await a.get(sends(1));
    const b = await add(ofB, 'v3');
    await b.get(sends(2));
    const borrower = readTokens(ofB.CONSTANT_CONTACT_TOKEN_FILE, oauth.clientId)?.borrowed ? b : a;
    const owner = borrower === a ? b : a;
    await redis.kill();
    await until(
      () => instances.every(({ lines }) => lines.some((line) => /redis.unavailable/.test(line))),
      'it is away',
    );
    clock.forward(86_401);
    const refused = await borrower.get(sends(3));
    expect([refused.status, sandbox.tokenCallCount]).toEqual([502, 1]);
    expect((await owner.get(sends(3))).status).toBe(200);
    expect(sandbox.tokenCallCount).toBe(2);
    await redis.restart();
    await until(async () => (await borrower.get(sends(4))).status === 200, 'it hears of the new ones');
    expect(sandbox.tokenCallCount).toBe(2);
  });

  test('are not shared without a key to encrypt them, which is reported', async () => {
    const { clientSecret: _, ...publicClient } = oauth;
    await sandbox.stop();
    sandbox = await startSandbox({ clock, oauth: { ...publicClient, rotating: false } });
    const a = await add({ ...tokenFile(), CONSTANT_CONTACT_CLIENT_SECRET: '' }, 'v3');
    await until(() => a.lines.some((line) => line.includes('token.not_shared')), 'it is told');
    expect(await redis.ask((client) => client.exists('sendgate:1:{tokens}'))).toBe(0);
    const b = await add({ ...tokenFile(), ...encrypted(newKey()), CONSTANT_CONTACT_CLIENT_SECRET: '' }, 'v3');
    await until(async () => (await redis.ask((client) => client.exists('sendgate:1:{tokens}'))) === 1, 'b shares them');
    expect(b.lines.some((line) => line.includes('token.not_shared'))).toBe(false);
  });
});

test('The password of REDIS_URL is not logged', async () => {
  await redis.ask((client) => client.config('SET', 'requirepass', 'r3dis-Pa55word'));
  const url = redis.url.replace('//', '//:r3dis-Pa55word@');
  const a = await add({ REDIS_URL: url, SENDGATE_LOG_LEVEL: 'trace' });
  const b = await add({ REDIS_URL: redis.url, SENDGATE_LOG_LEVEL: 'trace' });
  await a.get(path);
  await b.get(path);
  expect(a.lines.some((line) => line.includes('redis.available'))).toBe(true);
  expect(b.lines.filter((line) => line.includes('redis.unavailable'))).toHaveLength(1);
  a.service.log.info({ what: url }, `a line with ${url} and r3dis-Pa55word`);
  const status = await (await fetch(`${a.service.managementUrl}/status`)).text();
  const metrics = await (await fetch(`${a.service.managementUrl}/metrics`)).text();
  expect([...a.lines, ...b.lines, status, metrics].join('')).not.toContain('Pa55word');
});
