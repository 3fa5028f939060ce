/**
 * The forms in which a whole campaign is exported. A page that needs no change but in what stands between its sends is
 * taken as it is held, without reading it.
 */
import Papa from 'papaparse';
import { type Send, sendFields } from '../../model/sends.ts';

export interface ExportFormat {
  /** What `Accept` has to allow. */
  readonly mediaType: string;
  readonly contentType: string;
  /** What comes before the first send. */
  readonly head: string;
  /** The lines of one page, each with its end, out of its sends as `renderPage` writes them: a JSON array. */
  readonly lines: (sends: string) => string;
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
const plainSend = new RegExp(
  String.raw`(?<=[[,])\{${sendFields.map((name) => `"${name}":"${plainValue}"`).join(',')}\}[,\]]`,
  'g',
);
const plainRow = `${sendFields.map((_, index) => `$${index + 1}`).join(',')}\r\n`;

/** Comma-separated values (RFC 4180), with a header row. What a spreadsheet would take for a formula gets a `'` in front. */
const csv: ExportFormat = {
  mediaType: 'text/csv',
  contentType: 'text/csv; charset=utf-8; header=present',
  head: `${sendFields.join(',')}\r\n`,
  lines: (sends) => {
    if (sends === '[]') return '';
    const rows = sends.replace(plainSend, plainRow);
    if (!rows.includes('{')) return rows.slice(1);
    const read: Send[] = JSON.parse(sends);
    const cells = read.map((send) => sendFields.map((name) => withoutFormulas(send[name])));
    return `${Papa.unparse(cells)}\r\n`;
  },
};

/** How a send begins. A quote before a name is never one that ends a string, so this stands nowhere else. */
const begin = `{"${sendFields[0]}":`;

/** One JSON text a line. */
const ndjson: ExportFormat = {
  mediaType: 'application/x-ndjson',
  contentType: 'application/x-ndjson',
  head: '',
  lines: (sends) => (sends === '[]' ? '' : `${sends.slice(1, -1).replaceAll(`},${begin}`, `}\n${begin}`)}\n`),
};

export const exportFormats = { csv, ndjson } as const;
export type ExportName = keyof typeof exportFormats;
export const exportNames = Object.keys(exportFormats) as readonly ExportName[];
