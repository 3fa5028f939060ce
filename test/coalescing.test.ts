import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type Harness, idOf, start, until } from './support/harness.ts';

let it: Harness;
let next = 1;

beforeAll(async () => {
  it = await start();
});
afterEach(() => it.sandbox.heal());
afterAll(() => it.close());

function coldCampaign(): string {
  const id = String(next++);
  it.sandbox.campaign({ id, size: 30, newestMs: Date.now() });
  it.sandbox.forget();
  return id;
}

describe('a thousand callers of one cold key', () => {
  test('make one call and get the same page', async () => {
    const id = coldCampaign();
    it.sandbox.fault({ kind: 'latency', ms: 1500 });
    const answers = await Promise.all(Array.from({ length: 1000 }, () => it.get(`/campaigns/${id}/sends`)));
    const bodies = new Set(await Promise.all(answers.map((answer) => answer.text())));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(bodies.size).toBe(1);
    expect(it.sandbox.callCount).toBe(1);
    const how = answers.map(({ headers }) => headers.get('cache-status'));
    expect(how.filter((status) => status === 'sendgate; fwd=uri-miss; fwd-status=200; stored')).toHaveLength(1);
    expect(how.filter((status) => status?.includes('; collapsed')).length).toBeGreaterThan(100);
  });

  test('make no more calls than the retries allow while the upstream fails', async () => {
    const id = coldCampaign();
    it.sandbox.fault({ kind: 'latency', ms: 1500, times: 1 });
    it.sandbox.fault({ kind: 'status', status: 500 });
    const answers = await Promise.all(Array.from({ length: 1000 }, () => it.get(`/campaigns/${id}/sends`)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([502]));
    expect(it.sandbox.callCount).toBe(3);
  });
});

describe('a caller who disconnects', () => {
  test('cancels no call that others wait for', async () => {
    const id = coldCampaign();
    it.sandbox.fault({ kind: 'latency', ms: 300 });
    const leaver = new AbortController();
    const left = fetch(`${it.url}/campaigns/${idOf(id)}/sends`, { signal: leaver.signal });
    await until(() => it.sandbox.callCount === 1, 'the call is made');
    const stayed = it.get(`/campaigns/${id}/sends`);
    leaver.abort();
    await expect(left).rejects.toThrow();
    expect((await stayed).status).toBe(200);
    expect(it.sandbox.callCount).toBe(1);
  });

  test('alone lets a started call finish, and its page is stored', async () => {
    const id = coldCampaign();
    it.sandbox.fault({ kind: 'latency', ms: 200 });
    const leaver = new AbortController();
    const left = fetch(`${it.url}/campaigns/${idOf(id)}/sends`, { signal: leaver.signal });
    await until(() => it.sandbox.callCount === 1, 'the call is made');
    const before = it.service.pages.bytes;
    leaver.abort();
    await expect(left).rejects.toThrow();
    await until(() => it.service.pages.bytes > before + 1000, 'the page is held');
    expect((await it.get(`/campaigns/${id}/sends`)).headers.get('cache-status')).toMatch(/^sendgate; hit/);
    expect(it.sandbox.callCount).toBe(1);
    await until(() => it.lines.some((line) => line.includes('"status":499')), 'the log says so');
  });

  test('while the call is queued spends none, unless another caller has joined', async () => {
    const slow = await start({ SENDGATE_QUOTA_PER_SECOND: '1' });
    try {
      for (const id of ['1', '2', '3']) slow.sandbox.campaign({ id, size: 3, newestMs: Date.now() });
      await slow.get('/campaigns/1/sends');
      const leavers = ['2', '3'].map((id) => {
        const leaver = new AbortController();
        const left = fetch(`${slow.url}/campaigns/${idOf(id)}/sends`, { signal: leaver.signal });
        return { leaver, left };
      });
      await until(() => queued(slow) === 2, 'both wait for their turn');
      const stayed = slow.get('/campaigns/3/sends');
      await new Promise((resolve) => setTimeout(resolve, 30));
      for (const { leaver, left } of leavers) {
        leaver.abort();
        await expect(left).rejects.toThrow();
      }
      expect((await stayed).status).toBe(200);
      expect(slow.sandbox.calls.map(({ path }) => path.split('/').at(-3))).toEqual(['1', '3'].map(idOf));
      expect(queued(slow)).toBe(0);
    } finally {
      await slow.close();
    }
  });
});

const queued = (harness: Harness) => harness.service.status().queues.reduce((sum, { waiting }) => sum + waiting, 0);
