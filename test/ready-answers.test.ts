/**
 * A page is cached in one encoding and served in every other.
 */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { makeBody, type PageBody } from '../src/cache/page.ts';
import { headerLines } from '../src/http/header-block.ts';
import { contentOf } from '../src/http/prepared-response.ts';
import { type Form, PreparedResponses } from '../src/reports/prepared-responses.ts';

const json = (n: number) => JSON.stringify({ n, text: 'the same again and again '.repeat(200) });
const page = (n: number) =>
  makeBody({ json: json(n), next: `/campaigns/${n}/sends?next=x`, cursor: 'x', newestMs: Date.UTC(2026, 0, n) });

const decode = { br: brotliDecompressSync, gzip: gunzipSync, identity: (bytes: Buffer) => bytes };

async function textOf(answers: PreparedResponses, body: PageBody, form: 'br' | 'gzip' | 'identity'): Promise<string> {
  return decode[form](contentOf(await answers.of(body, form)) ?? Buffer.alloc(0)).toString();
}

// Room for everything, for two or three responses, and for none.
test.each([1_000_000, 3_000, 1])(
  'every encoding is correct with %i bytes for responses, and the bound holds',
  async (room) => {
    const answers = new PreparedResponses('X-Common: 1\r\n', room);
    const bodies = await Promise.all([1, 2, 3, 4].map(page));
    for (let round = 0; round < 2; round++) {
      for (const [n, body] of bodies.entries()) {
        for (const form of ['br', 'gzip', 'identity'] as const) {
          expect(await textOf(answers, body, form)).toBe(json(n + 1));
          expect(answers.bytes).toBeLessThanOrEqual(room);
          const { status, lines, rest, front } = await answers.of(body, form);
          expect(status).toBe(200);
          expect(rest.slice(0, front).toString()).toBe(`${lines}\r\n`);
          expect(lines).toContain(`Content-Length: ${rest.length - front}\r\n`);
          expect(lines.includes('Content-Encoding')).toBe(form !== 'identity');
          expect(lines).toContain(`X-Common: 1\r\n`);
          expect(lines).toContain(`ETag: ${body.etag}\r\n`);
        }
        const notModified = await answers.of(body, 'not-modified');
        expect(notModified).toMatchObject({ status: 304, rest: `${notModified.lines}\r\n` });
        expect(notModified.lines).not.toContain('Content-');
      }
    }
  },
);

test('a response is encoded once for any number of concurrent requests, and then reused', async () => {
  const answers = new PreparedResponses('', 1_000_000);
  const body = await page(1);
  const atHand = (['br', 'not-modified', 'gzip', 'identity'] satisfies Form[]).map(
    (form) => !!answers.held(body, form),
  );
  expect(atHand).toEqual([true, true, false, false]);
  const all = await Promise.all(Array.from({ length: 20 }, () => answers.of(body, 'gzip')));
  expect(new Set(all).size).toBe(1);
  expect(answers.held(body, 'gzip')).toBe(all[0]);
});

test('a header value cannot inject another header line', () => {
  for (const value of ['a\r\nSet-Cookie: b', 'a\nb', 'a\0b', 'a\u2028b'])
    expect(() => headerLines('X-A', value)).toThrow();
  for (const name of ['X A', 'X:A', 'X\r\nA', '']) expect(() => headerLines(name, 'a')).toThrow();
  expect(headerLines('X-A', 'a b', 'X-B', '')).toBe('X-A: a b\r\nX-B: \r\n');
});
