/**
 * A download that is streamed: complete when it ends, and reset when it cannot be completed.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FirstPage } from '../../model/page-query.ts';
import type { ExportFormat, ExportName } from './formats.ts';

/** `campaign-1100394165287-sends-since-2012-12-06T00-00-00.000Z.csv` */
export function fileName({ report, campaign, createdSince }: FirstPage, format: ExportName): string {
  const since = createdSince === undefined ? '' : `-since-${createdSince.replaceAll(':', '-')}`;
  return `campaign-${campaign}-${report}${since}.${format}`;
}

/**
 * Writes pages as fast as the reader takes them. A reader that takes nothing is the connection's business.
 *
 * @param onFailure called when the walk fails, before the pipeline closes the connection
 */
export async function writePages(
  res: ServerResponse,
  format: ExportFormat,
  walk: AsyncIterable<string>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  const text = async function* () {
    yield format.head;
    try {
      for await (const rows of walk) yield format.lines(rows);
    } catch (error) {
      onFailure(error);
      throw error;
    }
  };
  // One page at a time: a slow reader slows the walk.
  await pipeline(Readable.from(text(), { objectMode: false, highWaterMark: 1 }), res);
}

/** Resets the connection of a download that is incomplete: an old proxy takes a closed one for the end, but never a reset one. */
export function resetDownload(res: ServerResponse): void {
  if (res.writableFinished) return;
  res.socket?.resetAndDestroy();
  res.destroy();
}
