import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { lacksZone, parseInstant, parseInstantInUtc } from '../src/model/instant.ts';

describe('an instant', () => {
  test.each([
    ['2012-12-06', '2012-12-06T00:00:00.000Z'],
    ['2012-12-06T13:06Z', '2012-12-06T13:06:00.000Z'],
    ['2012-12-06T13:06:14Z', '2012-12-06T13:06:14.000Z'],
    ['2012-12-06T13:06:14.7Z', '2012-12-06T13:06:14.700Z'],
    ['2012-12-06T13:06:14.762999Z', '2012-12-06T13:06:14.762Z'],
    ['2012-12-06t13:06:14.762z', '2012-12-06T13:06:14.762Z'],
    ['2012-12-06T13:06:14,762Z', '2012-12-06T13:06:14.762Z'],
    ['2012-12-06T15:06:14+02:00', '2012-12-06T13:06:14.000Z'],
    ['2012-12-06T15:06:14 02:00', '2012-12-06T13:06:14.000Z'],
    ['2012-12-06T08:36:14-0430', '2012-12-06T13:06:14.000Z'],
    ['2012-12-06T15:06:14+02', '2012-12-06T13:06:14.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['2012-12-31T23:30:00-01:00', '2013-01-01T00:30:00.000Z'],
  ])('%s is %s', (text, instant) => {
    expect(parseInstant(text)).toBe(instant);
  });

  test.each([
    '',
    'yesterday',
    '2012',
    '2012-12',
    '2012-13-01',
    '2012-00-10',
    '2012-12-00',
    '2023-02-29',
    '2012-02-30',
    '2012-04-31',
    '2012-12-06T13:06:14',
    '2012-12-06T24:00:00Z',
    '2012-12-06T13:60:00Z',
    '2012-12-06T13:06:60Z',
    '2012-12-06T13:06:14+24:00',
    '2012-12-06T13:06:14+02:60',
    '2012-12-06 13:06:14Z',
    '20121206',
    '2012-12-06T13Z',
    '2012-12-06T13:06:14.Z',
    '2012-12-06T13:06:14.1234567890Z',
    ' 2012-12-06',
    '2012-12-06\n',
    '+012012-12-06',
    '0000-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
  ])('%j is refused', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  test('is the same in every offset, and unchanged if canonical', () => {
    const date = fc.date({
      min: new Date('0001-01-02T00:00:00Z'),
      max: new Date('9999-12-30T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(date, fc.integer({ min: -23 * 60, max: 23 * 60 }), (at, offset) => {
        const local = new Date(at.getTime() + offset * 60_000).toISOString().slice(0, -1);
        const two = (n: number) => String(n).padStart(2, '0');
        const zone = `${offset < 0 ? '-' : '+'}${two(Math.trunc(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
        expect(parseInstant(`${local}${zone}`)).toBe(at.toISOString());
        expect(parseInstant(at.toISOString())).toBe(at.toISOString());
      }),
    );
  });

  test.each([
    ['2012-12-06T13:06', '2012-12-06T13:06:00.000Z'],
    ['2012-12-06T13:06:14.762999', '2012-12-06T13:06:14.762Z'],
    ['0001-01-01t00:00:00', '0001-01-01T00:00:00.000Z'],
  ])('%s lacks a zone, and is %s in UTC', (text, instant) => {
    expect([parseInstant(text), lacksZone(text), parseInstantInUtc(text)]).toEqual([undefined, true, instant]);
  });

  test.each(['2012-12-06', '2012-12-06T13:06Z', '2012-12-06T13:06:14-04'])(
    '%s lacks no zone and is parsed unchanged',
    (text) => {
      expect([lacksZone(text), parseInstantInUtc(text)]).toEqual([false, parseInstant(text)]);
    },
  );

  test.each(['', 'Z', '2012-02-30T10:00', '2012-12-06T24:00', '2012-12-06T13', '2012-12-06T13:06:14 '])(
    '%j is not an instant, even read as UTC',
    (text) => {
      expect([lacksZone(text), parseInstantInUtc(text)]).toEqual([false, undefined]);
    },
  );
});
