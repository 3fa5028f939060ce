/**
 * Formats of exports. They convert a cached page as text, and parse it only if a value must change.
 */
import Papa from 'papaparse';
import type { List, Row } from '../../model/list.ts';

export interface ExportFormat {
  /** Media type that `Accept` must allow. */
  readonly mediaType: string;
  readonly contentType: string;
  /** Text before the first row. */
  readonly head: string;
  /** Converts the rows of one page, a JSON array from `renderPage`, to complete lines. */
  readonly lines: (rows: string) => string;
}

/**
 * Places where a spreadsheet can find a formula (OWASP, "CSV Injection"; some also accept full-width signs, `|` and `%`): at the
 * start of a value, and after any character that separates cells or rows in another locale, where our quotes are inside a
 * cell and have no meaning. Quotes and white space may stand in between: they can open a cell, or be dropped.
 */
const sign = '=+\\-@|%\uff1d\uff0b\uff0d\uff20\uff5c\uff05';
const formula = new RegExp(`^(?=[\\x00-\\x1f\\ufeff]|["\\s]*[${sign}])|(?=[${sign}])(?<=[;|\\t\\r\\n]["\\s]*)`, 'g');
/** Prefixes what a spreadsheet would take for a formula with `'`. */
export const withoutFormulas = (value: string) => value.replace(formula, "'");

/** A value without formulas or characters to quote, which is identical in JSON and CSV. */
const plainValue = String.raw`([\w.][^",;|\\\s]*)`;

/** Comma-separated values (RFC 4180) with a header row. Prefixes what a spreadsheet would take for a formula with `'`. */
function csv({ fields }: List): ExportFormat {
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

/** The format, with a byte order mark if `bom`: without it Excel reads a file in the code page of the machine (decision 60). */
export const withByteOrderMark = (format: ExportFormat, bom: boolean): ExportFormat =>
  bom ? { ...format, head: `\ufeff${format.head}` } : format;

/** One JSON text per line (https://github.com/ndjson/ndjson-spec). */
function ndjson({ fields }: List): ExportFormat {
  /** The start of a row. It occurs nowhere else: a quote inside a string is escaped. */
  const begin = `{"${fields[0]}":`;
  return {
    mediaType: 'application/x-ndjson',
    contentType: 'application/x-ndjson',
    head: '',
    lines: (rows) => (rows === '[]' ? '' : `${rows.slice(1, -1).replaceAll(`},${begin}`, `}\n${begin}`)}\n`),
  };
}

export const exportFormats = { csv, ndjson } as const satisfies Readonly<Record<string, (list: List) => ExportFormat>>;
export type ExportName = keyof typeof exportFormats;
export const exportNames = Object.keys(exportFormats) as readonly ExportName[];
