/**
 * Saves a whole campaign as a file and shows progress.
 */
import { part, say } from './page.ts';
import { number } from './words.ts';

/** Bytes collected before they become a Blob, which the browser may keep on disk. */
const handOverBytes = 8 * 1024 * 1024;

export interface Export {
  readonly url: string;
  readonly format: 'csv' | 'ndjson';
  readonly headers: Readonly<Record<string, string>>;
  /** Expected number of sends; undefined if unknown. */
  readonly total: () => Promise<number | undefined>;
}

const progress = part<HTMLProgressElement>('export-progress');
let running: AbortController | undefined;

/**
 * Saves a whole report. Cancels a running export.
 *
 * @returns the response if it is an error
 * @throws the error of `fetch` when the connection fails; nothing is saved
 */
export async function save({ url, format, headers, total }: Export): Promise<Response | undefined> {
  running?.abort();
  const controller = new AbortController();
  running = controller;
  begin();
  try {
    const answer = await fetch(url, { headers, signal: controller.signal });
    if (!answer.ok || !answer.body) return answer;
    const { blob, rows } = await receive(answer, answer.body, format, await total());
    keep(blob, nameOf(answer));
    say('export-outcome', `Saved: ${number(rows)} sends.`);
    return undefined;
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    say('export-outcome', 'Cancelled: nothing was saved.');
    return undefined;
  } finally {
    if (running === controller) part('export').hidden = true;
  }
}

function begin(): void {
  progress.removeAttribute('value');
  say('export-text', 'Waiting for the first page …');
  say('export-outcome', '');
  part('export').hidden = false;
}

/** Reads the whole body and shows progress. */
async function receive(
  answer: Response,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  format: Export['format'],
  expected: number | undefined,
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
    showProgress(Math.max(0, lines), expected);
  }
  const type = answer.headers.get('content-type') ?? '';
  return { blob: new Blob([blob, ...parts], { type }), rows: Math.max(0, lines) };
}

function linesIn(chunk: Uint8Array): number {
  let lines = 0;
  for (const byte of chunk) if (byte === 10) lines++;
  return lines;
}

function showProgress(rows: number, expected: number | undefined): void {
  if (expected === undefined) {
    say('export-text', `${number(rows)} sends`);
    return;
  }
  progress.max = Math.max(1, expected, rows);
  progress.value = rows;
  say('export-text', `${number(rows)} of ${number(expected)} sends`);
}

part('export-cancel').addEventListener('click', () => running?.abort());

const nameOf = (answer: Response) =>
  /filename="([^"]+)"/.exec(answer.headers.get('content-disposition') ?? '')?.[1] ?? 'sends';

function keep(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
