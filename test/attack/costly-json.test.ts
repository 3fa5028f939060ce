/**
 * Responses crafted to be slow to parse, which would block all other requests.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseJson } from '../../src/model/json.ts';
import { sendsReport } from '../../src/model/sends.ts';
import { readErrorBody } from '../../src/upstream/error-body.ts';
import { readGrant } from '../../src/upstream/oauth/token-answer.ts';
import { parseV2Page } from '../../src/upstream/v2-page.ts';
import { parseV3Page } from '../../src/upstream/v3-page.ts';

const megabytes = 4 * 1024 * 1024;
const small = 250 * 1024;
const repeated = (text: string, bytes: number) => text.repeat(bytes / text.length);
/** Short enough to be parsed without the check. */
const shortOnes = {
  'objects that are no rows': `{"results":[${repeated('{},', small)}{}],"tracking_activities":[${repeated('{},', 6_000)}{}]}`,
  'numbers that are no rows': `{"results":[${repeated('1,', small)}1]}`,
};
const longOnes = {
  'arrays in arrays': `${repeated('[', megabytes / 2)}${repeated(']', megabytes / 2)}`,
  'arrays that do not end': repeated('[', megabytes),
  'objects in objects': `${repeated('{"a":', megabytes)}1${'}'.repeat(megabytes / 5)}`,
  'arrays in a page': `{"results":${repeated('[', megabytes / 2)}${repeated(']', megabytes / 2)}}`,
  'a million empty objects': `[${repeated('{},', megabytes)}1]`,
  'half a million names': `{${Array.from({ length: 500_000 }, (_, n) => `"k${n}":1`).join()}}`,
};

function msOf(work: () => unknown): number {
  const startedAt = process.cpuUsage();
  try {
    work();
  } catch {
    // Rejected.
  }
  const { user, system } = process.cpuUsage(startedAt);
  return (user + system) / 1_000;
}

/** The best of three tries: the machine may stall during one. */
const leastMsOf = (work: () => unknown) => Math.min(msOf(work), msOf(work), msOf(work));

describe.each(Object.entries(longOnes))('%s', (_, text) => {
  test('are rejected in a fraction of the time it takes to parse them', () => {
    const plainly = msOf(() => JSON.parse(text));
    expect(() => parseV2Page(sendsReport.v2.fields, text, '1')).toThrow(
      expect.objectContaining({ code: 'upstream-failed', reason: 'malformed' }),
    );
    expect(() => parseV3Page('tracking_activities', sendsReport.v3.fields, text, '1')).toThrow(
      expect.objectContaining({ reason: 'malformed' }),
    );
    expect(readErrorBody(text)).toEqual({});
    const all = [
      () => parseV2Page(sendsReport.v2.fields, text, '1'),
      () => parseV3Page('tracking_activities', sendsReport.v3.fields, text, '1'),
      () => readErrorBody(text),
    ].map(leastMsOf);
    expect(all.reduce((sum, ms) => sum + ms)).toBeLessThan(plainly * 0.3);
  });
});

test.each(Object.entries(shortOnes))('%s are rejected at the first of them', (_, text) => {
  // A schema for the whole list would report every mistake of every row, which takes a hundred times as long.
  const plainly = msOf(() => JSON.parse(text));
  const all =
    leastMsOf(() => parseV2Page(sendsReport.v2.fields, text, '1')) +
    leastMsOf(() => readErrorBody(text.slice(text.indexOf('['))));
  expect(() => parseV2Page(sendsReport.v2.fields, text, '1')).toThrow(expect.objectContaining({ reason: 'schema' }));
  expect(all).toBeLessThan(plainly * 20 + 20);
});

test('Fields of a token response are read in linear time', () => {
  const blank = ' '.repeat(40_000);
  for (const name of ['token_type', 'expires_in', 'scope', 'error', 'access_token']) {
    const fields = { access_token: 'a', refresh_token: 'r', [name]: `${blank}x` };
    const text = JSON.stringify(fields);
    expect(readGrant(200, text)).toMatchObject({ refreshToken: 'r' });
    expect(leastMsOf(() => readGrant(200, text))).toBeLessThan(msOf(() => JSON.parse(text)) * 20 + 20);
  }
});

test('Overlong links are not parsed', () => {
  const hrefs = [`?next=${repeated('<', megabytes - 1_000)}`, `?next=1&${repeated('a=1&', megabytes - 1_000)}`];
  for (const href of hrefs) {
    const v2 = `{"meta":{"pagination":{"next_link":"${href}"}},"results":[]}`;
    const v3 = `{"tracking_activities":[],"_links":{"next":{"href":"${href}"}}}`;
    const plainly = leastMsOf(() => parseJson(v3));
    for (const read of [
      () => parseV2Page(sendsReport.v2.fields, v2, '1'),
      () => parseV3Page('tracking_activities', sendsReport.v3.fields, v3, '1'),
    ]) {
      expect(read).toThrow(expect.objectContaining({ reason: 'schema' }));
      expect(leastMsOf(read)).toBeLessThan(plainly * 3 + 20);
    }
  }
});

test('A list of errors is read only up to the first', () => {
  expect(readErrorBody('[{"error_key":"one"},7,[]]').key).toBe('one');
  expect(readErrorBody('{"error_key":"one"}').key).toBe('one');
  expect(readErrorBody('[]').key).toBeUndefined();
});

test('Long JSON with few parts is parsed', () => {
  // Brackets, quotes and backslashes in strings are no structure.
  const padding = `"${'[{\\"\\\\'.repeat(60_000)}"`;
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (json) => {
      const text = `[${padding},${json}]`;
      expect(parseJson(text)).toEqual(JSON.parse(text));
    }),
    { numRuns: 40 },
  );
});
