import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type Harness, start, until } from './support/harness.ts';

let it: Harness;
let next = 1;

beforeAll(async () => {
  it = await start({ SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '2000' });
});
afterEach(() => it.sandbox.heal());
afterAll(() => it.close());

function coldCampaign(): string {
  const id = String(next++);
  it.sandbox.campaign({ id, size: 700, newestMs: Date.now() });
  it.sandbox.forget();
  return id;
}

describe('a thousand callers of one cold key', () => {
  test('make one call and get one answer', async () => {
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
    it.sandbox.fault({ kind: 'latency', ms: 1500 });
    it.sandbox.fault({ kind: 'status', status: 500 });
    const answers = await Promise.all(Array.from({ length: 1000 }, () => it.get(`/campaigns/${id}/sends`)));
    expect(answers.every(({ status }) => status === 502)).toBe(true);
    expect(it.sandbox.callCount).toBe(3);
  });
});

describe('a caller who hangs up', () => {
  test('cancels nothing that others wait for', async () => {
    const id = coldCampaign();
    it.sandbox.fault({ kind: 'latency', ms: 300 });
    const leaver = new AbortController();
    const left = fetch(`${it.url}/campaigns/${id}/sends`, { signal: leaver.signal });
    await until(() => it.sandbox.callCount === 1, 'the call is made');
    const stayed = it.get(`/campaigns/${id}/sends`);
    leaver.abort();
    await expect(left).rejects.toThrow();
    expect((await stayed).status).toBe(200);
    expect(it.sandbox.callCount).toBe(1);
  });

  test('alone, leaves a call behind that is allowed to finish and is kept', async () => {
    const id = coldCampaign();
    it.sandbox.fault({ kind: 'latency', ms: 200 });
    const leaver = new AbortController();
    const left = fetch(`${it.url}/campaigns/${id}/sends`, { signal: leaver.signal });
    await until(() => it.sandbox.callCount === 1, 'the call is made');
    const before = it.service.pages.bytes;
    leaver.abort();
    await expect(left).rejects.toThrow();
    await until(() => it.service.pages.bytes > before + 1000, 'the page is held');
    expect((await it.get(`/campaigns/${id}/sends`)).headers.get('cache-status')).toMatch(/^sendgate; hit/);
    expect(it.sandbox.callCount).toBe(1);
    await until(() => it.lines.some((line) => line.includes('"status":499')), 'the log says so');
  });
});
