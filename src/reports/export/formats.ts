/**
 * The formats of a whole report. A page is taken as it is held, without parsing it, unless a value in it needs a change.
 */
import Papa from 'papaparse';
import type { Report, Row } from '../../model/report.ts';

export interface ExportFormat {
  /** What `Accept` has to allow. */
  readonly mediaType: string;
  readonly contentType: string;
  /** What comes before the first row. */
  readonly head: string;
  /** The lines of one page, each with its end, out of its rows as `renderPage` writes them: a JSON array. */
  readonly lines: (rows: string) => string;
}

/**
 * Where a spreadsheet may find a formula (OWASP, "CSV Injection"; full-width signs, `|` and `%` are taken for signs by some): at
 * the beginning of a value, and behind whatever separates cells or rows in another locale, where our quotes are not at
 * the beginning of a cell and mean nothing.
 */
const sign = '=+\\-@|%\uff1d\uff0b\uff0d\uff20\uff5c\uff05';
const formula = new RegExp(`^(?=[${sign}\\x00-\\x1f\\ufeff])|(?<=[;|\\t\\r\\n])(?=[${sign}])`, 'g');
const withoutFormulas = (value: string) => value.replace(formula, "'");

/** A value that holds no formula and nothing to be quoted: it is the same in JSON and in CSV. */
const plainValue = String.raw`([\w.][^",;|\\\s]*)`;

/** Comma-separated values (RFC 4180), with a header row. What a spreadsheet would take for a formula gets a `'` in front. */
function csv({ fields }: Report): ExportFormat {
  const plainRow = new RegExp(
    String.raw`(?<=[[,])\{${fields.map((name) => `"${name}":"${plainValue}"`).join(',')}\}[,\]]`,
    'g',
  );
  const cells = `${fields.map((_, index) => `$${index + 1}`).join(',')}\r\n`;
  return {
    mediaType: 'text/csv',
    contentType: 'text/csv; charset=utf-8; header=present',
    head: `${fields.join(',')}\r\n`,
    lines: (rows) => {
      if (rows === '[]') return '';
      const lines = rows.replace(plainRow, cells);
      if (!lines.includes('{')) return lines.slice(1);
      const read: readonly Row[] = JSON.parse(rows);
      return `${Papa.unparse(read.map((row) => fields.map((name) => withoutFormulas(row[name] ?? ''))))}\r\n`;
    },
  };
}

/** One JSON text a line (https://github.com/ndjson/ndjson-spec). */
function ndjson({ fields }: Report): ExportFormat {
  /** How a row begins. A quote before a name is never one that ends a string, so this occurs nowhere else. */
  const begin = `{"${fields[0]}":`;
  return {
    mediaType: 'application/x-ndjson',
    contentType: 'application/x-ndjson',
    head: '',
    lines: (rows) => (rows === '[]' ? '' : `${rows.slice(1, -1).replaceAll(`},${begin}`, `}\n${begin}`)}\n`),
  };
}

export const exportFormats = { csv, ndjson } as const satisfies Readonly<
  Record<string, (report: Report) => ExportFormat>
>;
export type ExportName = keyof typeof exportFormats;
export const exportNames = Object.keys(exportFormats) as readonly ExportName[];
