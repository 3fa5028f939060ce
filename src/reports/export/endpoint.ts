/**
 * `GET|HEAD /campaigns/:id/sends.csv` and `.ndjson`: a whole campaign, streamed.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RequestHandler } from 'express';
import type { PageSource } from '../../cache/page-cache.ts';
import type { Clock } from '../../clock.ts';
import { untilGone } from '../../http/disconnect.ts';
import { headLines } from '../../http/header-block.ts';
import { onlyReads } from '../../http/methods.ts';
import { accepts } from '../../http/negotiation.ts';
import { exchangeOf, payerOf } from '../../http/request-context.ts';
import { searchOf } from '../../http/target.ts';
import type { CampaignIdRule } from '../../model/campaign-ids.ts';
import type { FirstPage } from '../../model/page-query.ts';
import { Problem } from '../../problems.ts';
import { parseExportQuery } from '../query.ts';
import { type ExportFormat, type ExportName, exportFormats } from './formats.ts';
import type { ExportPlaces } from './slots.ts';
import { startWalk } from './walk.ts';

interface Parts {
  readonly pages: PageSource;
  readonly campaignIds: CampaignIdRule;
  readonly clock: Clock;
  readonly places: ExportPlaces;
  /** Called with unforeseen errors. */
  readonly onUnexpected: (error: unknown, requestId: string) => void;
}

export interface ExportOptions {
  /** How long one goes on without a page arriving. */
  readonly patienceSeconds: number;
}

export const exportPath = (name: ExportName) => `/campaigns/:id/sends.${name}`;

export class SendsExports {
  readonly #parts: Parts;
  readonly #options: ExportOptions;
  readonly #running = new Set<ServerResponse>();

  constructor(parts: Parts, options: ExportOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Exports that run. */
  get running(): number {
    return this.#running.size;
  }

  /** Breaks off those that run. */
  breakOff(): void {
    for (const res of this.#running) breakOff(res);
  }

  /** Every method of the resource. Problems are for the error handler, as long as nothing has been written. */
  handler(name: ExportName): RequestHandler<{ id: string }> {
    const format = exportFormats[name];
    return async (req, res) => {
      const exchange = exchangeOf(req);
      const { id, told } = exchange;
      told.route = exportPath(name);
      if (onlyReads(req)) return;
      if (!accepts(format.mediaType, req.headers.accept)) throw new Problem('not-acceptable', unacceptable(format));
      const query = parseExportQuery(req.params.id, searchOf(req.url), this.#parts.campaignIds);
      told.campaign = query.campaign;
      const gone = untilGone(res);
      const leave = await this.#parts.places.enter(payerOf(req));
      this.#running.add(res);
      /** The log line is written when the connection closes: it has to know by then. */
      const failed = (error: unknown) => {
        if (!gone.aborted && told.problem === undefined) {
          const problem = error instanceof Problem ? error : new Problem('internal-error');
          if (problem !== error) this.#parts.onUnexpected(error, id);
          told.problem = problem.code;
          told.reason = problem.reason;
        }
        breakOff(res);
      };
      try {
        const ask = { ...payerOf(req), signal: gone };
        const { patienceSeconds } = this.#options;
        const walk = await startWalk({ ...this.#parts, patienceMs: patienceSeconds * 1000 }, query, ask);
        gone.throwIfAborted(); // A page that is held comes to one who has gone, too.
        const lines = headLines(
          ...['Content-Type', format.contentType, 'Cache-Control', 'private, no-store'],
          ...['Content-Disposition', `attachment; filename="${fileName(query, name)}"`],
        );
        exchange.begin(200, lines);
        if (req.method === 'HEAD') res.end();
        else await write(res, format, walk, failed);
      } catch (error) {
        if (!res.headersSent) throw error;
        failed(error);
      } finally {
        this.#running.delete(res);
        leave();
      }
    };
  }
}

/**
 * Writes as much as the reader takes. One that takes nothing is the connection's business.
 *
 * @param failed called when the walk has failed, before the pipeline closes the connection
 */
async function write(
  res: ServerResponse,
  format: ExportFormat,
  walk: AsyncIterable<string>,
  failed: (error: unknown) => void,
): Promise<void> {
  const text = async function* () {
    yield format.head;
    try {
      for await (const sends of walk) yield format.lines(sends);
    } catch (error) {
      failed(error);
      throw error;
    }
  };
  // One page at a time: a slow reader slows the walk.
  await pipeline(Readable.from(text(), { objectMode: false, highWaterMark: 1 }), res);
}

/** What is broken off must not look complete: an old proxy takes a closed connection for the end, but never a reset one. */
function breakOff(res: ServerResponse): void {
  if (res.writableFinished) return;
  res.socket?.resetAndDestroy();
  res.destroy();
}

function unacceptable({ mediaType }: ExportFormat) {
  return { detail: `This export comes as ${mediaType}: let \`Accept\` allow it.` };
}

function fileName({ campaign, createdSince }: FirstPage, name: ExportName): string {
  const since = createdSince === undefined ? '' : `-since-${createdSince.replaceAll(':', '-')}`;
  return `campaign-${campaign}-sends${since}.${name}`;
}
