/**
 * A line of the access log, whatever is in its values.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createAccessLog } from '../src/observability/access-log.ts';

const text = fc.string({ unit: 'binary', maxLength: 150 });
const entries = fc.record({
  id: text,
  isIdGiven: fc.boolean(),
  trace: fc.option(text, { nil: undefined }),
  method: fc.constantFrom('GET', 'HEAD', 'PROPFIND', undefined),
  status: fc.constantFrom(200, 304, 499),
  ms: fc.double({ min: 0, max: 1e9, noNaN: true }),
  record: fc.record({
    route: text,
    report: fc.constantFrom('opens' as const, undefined),
    team: text,
    cache: fc.constantFrom('fresh' as const, undefined),
    campaign: fc.option(text, { nil: undefined }),
    problem: fc.option(text, { nil: undefined }),
    reason: fc.option(text, { nil: undefined }),
  }),
});

test('is one line of JSON with every value as it is, and secrets removed where a caller chose the value', () => {
  const redact = (value: string) => value.replaceAll('s', '*');
  fc.assert(
    fc.property(fc.array(entries, { minLength: 1, maxLength: 20 }), (all) => {
      const lines: string[] = [];
      const log = createAccessLog({ write: (line) => void lines.push(String(line)) }, redact);
      for (const entry of all) log(entry);
      const expected = all.map(({ id, isIdGiven, trace, method, status, ms, record }) => ({
        ...{ level: 'info', time: expect.any(String), id: isIdGiven ? redact(id) : id, method, status },
        ...{ trace: trace && redact(trace), ms: Math.round(ms * 100) / 100 },
        ...{ ...record, campaign: record.campaign && redact(record.campaign) },
      }));
      for (const line of lines) expect(line.indexOf('\n')).toBe(line.length - 1);
      expect(lines.map((line) => JSON.parse(line))).toEqual(expected);
    }),
    { numRuns: 200, seed: 39 },
  );
});

test('has fields in a fixed order', () => {
  const lines: string[] = [];
  const details = { cache: 'fresh', campaign: '1', problem: 'p', reason: 'r' } as const;
  const record = { route: '/', report: 'links', team: 'default', ...details } as const;
  const log = createAccessLog({ write: (line) => void lines.push(String(line)) }, (value) => value);
  log({ id: 'i', isIdGiven: false, trace: 't', method: 'GET', status: 200, ms: 1.005, record });
  expect(Object.keys(JSON.parse(lines[0] ?? ''))).toEqual(
    'level time id trace method route report team status cache campaign ms problem reason'.split(' '),
  );
});
