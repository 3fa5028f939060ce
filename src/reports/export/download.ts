/**
 * Streams a download. A completed download is complete; on failure the connection is reset.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type FirstPage, noCampaign } from '../../model/page-query.ts';
import type { ListName } from '../../model/resource.ts';
import { lists } from '../../model/resources.ts';
import type { ExportFormat, ExportName } from './formats.ts';

/** `campaign-1100394165287-sends-since-2012-12-06T00-00-00.000Z.csv`, `campaigns-status-SENT.csv` */
export function fileName({ resource, campaign, since, filter }: FirstPage, format: ExportName): string {
  const of = campaign === noCampaign ? resource : `campaign-${campaign}-${resource}`;
  const filterName = lists[resource as ListName].filter?.name.replace('_id', '');
  const selected = filter === undefined ? '' : `-${filterName}-${filter}`;
  const from = since === undefined ? '' : `-since-${since.replaceAll(':', '-')}`;
  return `${of}${selected}${from}.${format}`;
}

/**
 * Writes pages as fast as the reader reads. The connection handles a stalled reader.
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

/** Resets the connection of an incomplete download: to an HTTP/1.0 proxy a closed connection is a complete body, a reset is not. */
export function resetDownload(res: ServerResponse): void {
  if (res.writableFinished) return;
  res.socket?.resetAndDestroy();
  res.destroy();
}
