/**
 * Values that a spreadsheet could execute as formulas, in any locale.
 */
import { expect, test } from '@jest/globals';
import Papa from 'papaparse';
import { sendsReport } from '../../src/model/sends.ts';
import { exportFormats } from '../../src/reports/export/formats.ts';

const line = (email: string) =>
  exportFormats.csv(sendsReport).lines(
    JSON.stringify([
      {
        activity_type: 'EMAIL_SEND',
        campaign_id: '1',
        contact_id: '2',
        email_address: email,
        send_date: '2026-01-01T00:00:00.000Z',
      },
    ]),
  );
const fullWidth = [...'=+-@|%'].map((sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0));
const signs = [...'=+-@|%', ...fullWidth];
const payload = 'cmd|calc!A1';

/** What a spreadsheet may make cells of: a separator of its locale, and quotes only where a cell begins with one. */
const cellsIn = (text: string, separator: string) =>
  Papa.parse<string[]>(text, { delimiter: separator, newline: separator === ',' ? '\r\n' : '\n' }).data.flat();

const attacks = [
  ...signs.map((sign) => `${sign}${payload}`),
  ...[...'\t\r\n\0\ufeff'].map((odd) => `${odd}=${payload}`),
  ...[...';|\t\r\n'].flatMap((separator) => signs.map((sign) => `x${separator}${sign}1+1@example.com`)),
  '=1+1\nx',
  '"=1+1',
  'x";=1+1;"',
  'x;;=1',
  ';=1',
  '|=1',
  'x;\n=1',
  // Quotes that open a cell in another locale, and white space that is dropped.
  ...[...';|\t'].flatMap((separator) => [`x${separator}"=1+1${separator}`, `x${separator} =1`, `x${separator}"" =1`]),
  ' =1',
  '" =1',
];

test.each([',', ';', '|', '\t'])('No cell of an export is a formula, read with %j as the separator', (separator) => {
  for (const attack of attacks) {
    for (const cell of cellsIn(line(attack), separator)) {
      for (const row of cell.split(/[\r\n]/)) {
        expect([attack, row]).toEqual([attack, expect.not.stringMatching(new RegExp(`^["\\s]*[${signs.join('\\')}]`))]);
      }
    }
  }
});

test('A value that is not a formula is written unchanged', () => {
  for (const email of [
    ...['first.last+tag@example.com', 'a-b@x-y.example', "o'neil@example.com", 'user%host@example.com'],
    ...['a=b@example.com', 'ä@example.com', 'a;b@example.com', 'a|b@example.com', '1@x', 'a b@x'],
  ]) {
    const [row = []] = Papa.parse<string[]>(line(email)).data;
    expect(row[sendsReport.fields.indexOf('email_address')]).toBe(email);
  }
});
