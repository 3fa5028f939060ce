/**
 * A whole campaign, saved as a file, with its progress.
 */

import { part, say } from './page.ts';
import { number } from './words.ts';

/** What is gathered before it is handed to the browser, which keeps it where it has room. */
const handOverBytes = 8 * 1024 * 1024;

export interface Export {
  readonly url: string;
  readonly format: 'csv' | 'ndjson';
  readonly headers: Readonly<Record<string, string>>;
  /** How many sends there will be; undefined where that is not known. */
  readonly total: () => Promise<number | undefined>;
}

let running: AbortController | undefined;

/** @throws what `fetch` throws when the connection is broken off: nothing is saved then */
export async function save({ url, format, headers, total }: Export): Promise<Response | undefined> {
  running?.abort();
  const controller = new AbortController();
  running = controller;
  const bar = part<HTMLProgressElement>('export-progress');
  bar.removeAttribute('value');
  say('export-text', 'Waiting for the first page …');
  say('export-outcome', '');
  part('export').hidden = false;
  try {
    const answer = await fetch(url, { headers, signal: controller.signal });
    if (!answer.ok || !answer.body) return answer;
    const expected = await total();
    let lines = format === 'csv' ? -1 : 0;
    let blob = new Blob();
    let parts: BlobPart[] = [];
    let bytes = 0;
    const reader = answer.body.getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      for (const byte of chunk.value) if (byte === 10) lines++;
      parts.push(chunk.value);
      bytes += chunk.value.length;
      if (bytes > handOverBytes) {
        blob = new Blob([blob, ...parts]);
        parts = [];
        bytes = 0;
      }
      const sends = Math.max(0, lines);
      if (expected !== undefined) {
        bar.max = Math.max(1, expected, sends);
        bar.value = sends;
      }
      say(
        'export-text',
        expected === undefined ? `${number(sends)} sends` : `${number(sends)} of ${number(expected)} sends`,
      );
    }
    keep(new Blob([blob, ...parts], { type: answer.headers.get('content-type') ?? '' }), nameOf(answer));
    say('export-outcome', `Saved: ${number(Math.max(0, lines))} sends.`);
    return undefined;
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    say('export-outcome', 'Cancelled: nothing was saved.');
    return undefined;
  } finally {
    if (running === controller) part('export').hidden = true;
  }
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
