/**
 * Every report is described whole: what follows from a descriptor (routes, exports, description, both adapters) relies on it.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Row, since } from '../src/model/list.ts';
import type { Report } from '../src/model/report.ts';
import { allReports, reports } from '../src/model/reports.ts';
import { newest } from '../src/model/resource.ts';
import { readRows } from '../src/model/rows.ts';
import { exportFormats, exportNames } from '../src/reports/export/formats.ts';
import { readRows as readRendered, renderPage } from '../src/reports/page-json.ts';
import { describeApi } from '../src/site/openapi/description.ts';
import { firstPage } from './support/queries.ts';

const everyReport = allReports.map((report) => [report.name, report] as const);
const instants = ['2026-01-03T00:00:00.000Z', '2026-01-02T00:00:00.000Z', '2026-01-01T00:00:00.000Z'] as const;

/** A row with a different text in each field. */
const rowOf = ({ fields, dateField }: Report, date: string, contact = '1'): Row =>
  Object.fromEntries(
    fields.map((field) => [field, field === dateField ? date : field === 'contact_id' ? contact : `a ${field}`]),
  );
const rowsOf = (report: Report, dates: readonly string[]) => dates.map((date) => rowOf(report, date));

describe.each(everyReport)('the report of %s', (name, report) => {
  test('is listed under its own name', () => {
    expect(reports[name]).toBe(report);
  });

  test('has the same fields in both versions, in the order of its schema', () => {
    const fields = [...report.fields];
    expect(fields).toContain(report.dateField);
    expect(Object.keys(report.v2.fields)).toEqual(fields);
    expect(Object.keys(report.v3.fields)).toEqual(fields);
    const row = rowOf(report, instants[0]);
    expect(
      readRendered(
        name,
        renderPage('', { ...firstPage('1'), resource: name }, { rows: [row], cursor: undefined }).json,
      ),
    ).toEqual([row]);
  });

  test('identifies rows by contact and date, even if either is missing', () => {
    const rows = ['', '1', '2'].flatMap((contact) => ['', ...instants].map((date) => rowOf(report, date, contact)));
    expect(new Set(rows.map((row) => report.identity(row))).size).toBe(rows.length);
  });

  test('has a path, an operation and an example for its pages and each export', () => {
    const { paths } = describeApi({ version: '', basePath: '', campaignIds: { pattern: /^/, allowed: '' } }) as {
      paths: Readonly<Record<string, { readonly get: { readonly operationId: string } }>>;
    };
    const own = [`/campaigns/{id}/${name}`, ...exportNames.map((format) => `/campaigns/{id}/${name}.${format}`)];
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(own));
    const ids = Object.values(paths).map(({ get }) => get.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('is exported with its fields in order', () => {
    const rows = JSON.stringify(rowsOf(report, instants));
    expect(exportFormats.csv(report).head).toBe(`${report.fields.join(',')}\r\n`);
    const lines = exportFormats.ndjson(report).lines(rows).trimEnd().split('\n');
    expect(`[${lines.join(',')}]`).toBe(rows);
  });

  test('filtered by an instant keeps the rows that are not older, and ends after them', () => {
    const rows = rowsOf(report, instants);
    expect(since(report, instants[1], { rows, cursor: 'next' })).toEqual({ rows: rows.slice(0, 2), cursor: undefined });
    expect(since(report, instants[2], { rows, cursor: 'next' })).toEqual({ rows, cursor: 'next' });
    // A row without a date belongs to the one before it.
    const undated = [rowOf(report, ''), ...rows];
    expect(since(report, instants[0], { rows: undated, cursor: 'next' }).rows).toEqual(undated.slice(0, 2));
    // Oldest first: the pages behind it are unknown.
    expect(since(report, instants[1], { rows: rows.toReversed(), cursor: 'next' }).cursor).toBe('next');
  });

  test('finds the newest date at any position', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...instants, '', 'no date'], { minLength: 1 }), (dates) => {
        const known = dates.filter((date) => !Number.isNaN(Date.parse(date))).map((date) => Date.parse(date));
        expect(newest(report, rowsOf(report, dates))).toBe(known.length === 0 ? undefined : Math.max(...known));
      }),
    );
  });
});

describe('the fields of a row', () => {
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);

  test('come from a field, the request, or nowhere', () => {
    const fields = { a: { from: 'x', read: text }, campaign_id: 'asked', b: 'absent' } as const;
    expect(readRows(fields, [{ x: '1', b: 'ignored' }], '7')).toEqual({
      rows: [{ a: '1', campaign_id: '7', b: '' }],
      odd: new Map(),
    });
    expect(readRows(fields, [{ x: 1 }, { x: null }], '7')).toEqual({
      rows: [
        { a: '', campaign_id: '7', b: '' },
        { a: '', campaign_id: '7', b: '' },
      ],
      odd: new Map([['a', 2]]),
    });
  });

  test.each([null, 'text', 7, [], {}, { y: 1 }])('are missing from %j: the list is rejected', (one) => {
    expect(readRows({ a: { from: 'x', read: text }, campaign_id: 'asked' }, [{ x: '1' }, one], '7')).toBeUndefined();
  });
});
