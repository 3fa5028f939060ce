/**
 * Saves a whole report, or the directory, as a file. Its progress stays in sight in every view until it ends.
 */
import { SendgateError } from '../../client/client.ts';
import { part, say, within } from './page.ts';
import { ProblemBox } from './problem.ts';
import { authorization, baseUrl } from './session.ts';
import { countOf, number } from './words.ts';

const contentTypes = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const;
type Format = keyof typeof contentTypes;

/** What to export. */
export interface Exported {
  /** Without the extension: `campaigns/1/opens`. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Plural: `opens`. */
  readonly noun: string;
  /** Expected number of rows; undefined if unknown. */
  readonly total: number | undefined;
}

/** Bytes collected before they become a Blob, which the browser may keep on disk. */
const handOverBytes = 8 * 1024 * 1024;

const bar = part('export');
const progress = part<HTMLProgressElement>('export-progress');
const cancel = part<HTMLButtonElement>('export-cancel');
const problem = new ProblemBox(part('export-problem'));
let running: AbortController | undefined;
/** The button that was pressed last. */
let pressed: HTMLElement | undefined;

/** Connects the buttons in a place. */
export function exportButtons(place: HTMLElement, exported: () => Exported): void {
  for (const format of ['csv', 'ndjson'] as const) {
    const button = within(place, `[data-export="${format}"]`);
    button.addEventListener('click', () => {
      pressed = button;
      void save(exported(), format);
    });
  }
}

/** Says how many rows the buttons export: all, whatever is searched. @param total undefined if unknown */
export function labelExports(place: HTMLElement, total: number | undefined): void {
  const what = total === 1 ? '1' : ['all', ...(total === undefined ? [] : [number(total)])].join(' ');
  within(place, '[data-export="csv"]').textContent = `Export ${what} as CSV`;
  within(place, '[data-export="ndjson"]').textContent = `Export ${what} as NDJSON`;
}

/** Cancels a running export. */
async function save(exported: Exported, format: Format): Promise<void> {
  running?.abort();
  const controller = new AbortController();
  const { signal } = controller;
  running = controller;
  begin(exported);
  try {
    const saved = await download(exported, format, signal);
    if (!signal.aborted) end(`Saved ${saved.name}: ${countOf(saved.rows, exported.noun)}.`);
  } catch (error) {
    if (running !== controller) return;
    if (signal.aborted) end('Cancelled: nothing was saved.');
    else {
      end('');
      problem.show(error, () => void save(exported, format));
    }
  } finally {
    if (running === controller) running = undefined;
  }
}

function begin({ noun }: Exported): void {
  problem.hide();
  bar.hidden = false;
  progress.hidden = false;
  progress.removeAttribute('value');
  cancel.textContent = 'Cancel';
  say('export-text', `Exporting ${noun}: waiting for the first page …`);
  say('export-outcome', '');
}

function end(outcome: string): void {
  progress.hidden = true;
  cancel.textContent = 'Close';
  say('export-text', '');
  say('export-outcome', outcome);
}

/** @throws SendgateError when refused; the error of `fetch` when the connection fails. Nothing is saved then */
async function download(exported: Exported, format: Format, signal: AbortSignal) {
  const { path, query } = exported;
  // Excel recognizes UTF-8 only by a byte order mark.
  const search = new URLSearchParams({ ...query, ...(format === 'csv' && { bom: '1' }) });
  const url = `${baseUrl}${path}.${format}${search.size === 0 ? '' : `?${search}`}`;
  const answer = await fetch(url, { headers: authorization(), signal });
  const name = nameOf(answer);
  // A proxy may answer in its place: with its page to sign in, for one.
  const isFile = name !== undefined && answer.headers.get('content-type')?.startsWith(contentTypes[format]);
  if (!answer.ok || !answer.body || !isFile) throw await SendgateError.from(answer);
  const { blob, rows } = await receive(answer, answer.body, format, exported);
  keep(blob, name);
  return { rows, name };
}

/** Reads the whole body and shows progress. */
async function receive(
  answer: Response,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  format: Format,
  exported: Exported,
): Promise<{ readonly blob: Blob; readonly rows: number }> {
  let lines = format === 'csv' ? -1 : 0;
  let blob = new Blob();
  let parts: BlobPart[] = [];
  let bytes = 0;
  const reader = body.getReader();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    lines += linesIn(chunk.value);
    parts.push(chunk.value);
    bytes += chunk.value.length;
    if (bytes > handOverBytes) {
      blob = new Blob([blob, ...parts]);
      parts = [];
      bytes = 0;
    }
    showProgress(Math.max(0, lines), exported);
  }
  const type = answer.headers.get('content-type') ?? '';
  return { blob: new Blob([blob, ...parts], { type }), rows: Math.max(0, lines) };
}

function linesIn(chunk: Uint8Array): number {
  let lines = 0;
  for (const byte of chunk) if (byte === 10) lines++;
  return lines;
}

function showProgress(rows: number, { noun, total }: Exported): void {
  if (total !== undefined) {
    progress.max = Math.max(1, total, rows);
    progress.value = rows;
  }
  const all = total === undefined ? '' : ` of ${number(total)}`;
  say('export-text', `Exporting ${noun}: ${number(rows)}${all}`);
}

cancel.addEventListener('click', () => {
  if (running) running.abort();
  else {
    problem.hide();
    bar.hidden = true;
    // In another view, the button is hidden.
    (pressed?.checkVisibility() ? pressed : part('main')).focus({ preventScroll: true });
  }
});
addEventListener('beforeunload', (event) => {
  if (running) event.preventDefault();
});

const nameOf = (answer: Response) => /filename="([^"]+)"/.exec(answer.headers.get('content-disposition') ?? '')?.[1];

function keep(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
