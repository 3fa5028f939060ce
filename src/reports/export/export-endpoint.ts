/**
 * `GET|HEAD /campaigns/:id/{report}.csv`, `/campaigns.csv`, and the same as `.ndjson`: a whole list, streamed.
 */
import type { ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import type { PageSource } from '../../cache/page-source.ts';
import type { Clock } from '../../clock.ts';
import { untilDisconnected } from '../../http/disconnect.ts';
import { headerLines } from '../../http/header-block.ts';
import { answeredOptions } from '../../http/methods.ts';
import { accepts } from '../../http/negotiation.ts';
import { contextOf, payerOf } from '../../http/request-context.ts';
import { searchOf } from '../../http/target.ts';
import type { CampaignIdRule } from '../../model/campaign-ids.ts';
import type { List } from '../../model/list.ts';
import { noCampaign } from '../../model/page-query.ts';
import { Problem } from '../../problems.ts';
import { parseExportQuery } from '../query.ts';
import { fileName, resetDownload, writePages } from './download.ts';
import { type ExportFormat, type ExportName, exportFormats, withByteOrderMark } from './formats.ts';
import type { ExportSlots } from './slots.ts';
import { startWalk } from './walk.ts';

interface Parts {
  readonly pages: PageSource;
  readonly campaignIds: CampaignIdRule;
  readonly clock: Clock;
  readonly slots: ExportSlots;
  /** Rows on the pages of a walk; by default as many as on a caller's. */
  readonly limitOf?: (list: List) => number;
  /** Called with errors that are not Problems. */
  readonly onUnexpected: (error: unknown, requestId: string) => void;
}

export interface ExportOptions {
  /** How long an export retries a failing page. */
  readonly patienceSeconds: number;
}

export const exportPath = ({ name, askedField }: List, format: ExportName) =>
  askedField === undefined ? `/${name}.${format}` : `/campaigns/:id/${name}.${format}`;

export class Exports {
  readonly #parts: Parts;
  readonly #options: ExportOptions;
  readonly #running = new Set<ServerResponse>();

  constructor(parts: Parts, options: ExportOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Number of running exports. */
  get running(): number {
    return this.#running.size;
  }

  /** Resets the connections of all running exports, as Sendgate stops: they count as unavailable. */
  resetAll(): void {
    for (const res of this.#running) {
      contextOf(res.req).failWith(503);
      resetDownload(res);
    }
  }

  /** Handles every method of the resource. Rejects with a Problem until the response begins. */
  handler(list: List, name: ExportName): RequestHandler<{ id?: string }> {
    const format = exportFormats[name](list);
    return async (req, res) => {
      const context = contextOf(req);
      const { id, record } = context;
      record.route = exportPath(list, name);
      record.report = list.name;
      if (answeredOptions(req)) return;
      if (!accepts(format.mediaType, req.headers.accept)) throw new Problem('not-acceptable', unacceptable(format));
      const { campaignIds, limitOf = (list) => list.maxLimit } = this.#parts;
      const { first, bom } = parseExportQuery(list, name, req.params.id, searchOf(req.url), campaignIds, limitOf(list));
      record.campaign = first.campaign === noCampaign ? undefined : first.campaign;
      const gone = untilDisconnected(res);
      const release = await this.#parts.slots.acquire(payerOf(req));
      this.#running.add(res);
      /** Records the problem before the connection closes, which writes the access log. */
      const fail = (error: unknown) => {
        if (!gone.aborted && record.problem === undefined) {
          const problem = error instanceof Problem ? error : new Problem('internal-error');
          if (problem !== error) this.#parts.onUnexpected(error, id);
          record.problem = problem.code;
          record.reason = problem.reason;
          context.failWith(problem.status);
        }
        resetDownload(res);
      };
      try {
        const request = { ...payerOf(req), signal: gone };
        const { patienceSeconds } = this.#options;
        const walk = await startWalk({ ...this.#parts, patienceMs: patienceSeconds * 1000 }, first, request);
        gone.throwIfAborted(); // A cached page resolves even after the client disconnected.
        const lines = headerLines(
          ...['Content-Type', format.contentType, 'Cache-Control', 'private, no-store'],
          ...['Content-Disposition', `attachment; filename="${fileName(first, name)}"`],
        );
        context.begin(200, lines);
        if (req.method === 'HEAD') res.end();
        else await writePages(res, withByteOrderMark(format, bom), walk, fail);
      } catch (error) {
        if (!res.headersSent) throw error;
        fail(error);
      } finally {
        this.#running.delete(res);
        release();
      }
    };
  }
}

function unacceptable({ mediaType }: ExportFormat) {
  return { detail: `This export is ${mediaType}: let \`Accept\` allow it.` };
}
