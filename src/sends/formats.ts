/**
 * The forms in which a whole campaign is exported.
 */
import Papa from 'papaparse';
import { type Send, sendFields } from '../upstream/dialect.ts';

export interface ExportFormat {
  /** What `Accept` has to allow. */
  readonly mediaType: string;
  readonly contentType: string;
  /** What comes before the first send. */
  readonly head: string;
  /** The lines of one page's sends, each with its end. */
  readonly lines: (sends: readonly Send[]) => string;
}

/** Comma-separated values (RFC 4180), with a header row. What a spreadsheet would take for a formula gets a `'` in front. */
const csv: ExportFormat = {
  mediaType: 'text/csv',
  contentType: 'text/csv; charset=utf-8; header=present',
  head: `${sendFields.join(',')}\r\n`,
  lines: (sends) => {
    if (sends.length === 0) return '';
    const rows = Papa.unparse([...sends], { columns: [...sendFields], header: false, escapeFormulae: true });
    return `${rows}\r\n`;
  },
};

/** One JSON text a line. */
const ndjson: ExportFormat = {
  mediaType: 'application/x-ndjson',
  contentType: 'application/x-ndjson',
  head: '',
  lines: (sends) => sends.map((send) => `${JSON.stringify(send)}\n`).join(''),
};

export const exportFormats = { csv, ndjson } as const;
export type ExportName = keyof typeof exportFormats;
export const exportNames = Object.keys(exportFormats) as readonly ExportName[];
