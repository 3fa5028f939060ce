/**
 * The Express application: its middleware, in order.
 */
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { summaryPath } from '../campaigns/summary-endpoint.ts';
import { clientDisconnected } from '../http/disconnect.ts';
import { contextOf } from '../http/request-context.ts';
import type { Report } from '../model/report.ts';
import { allReports } from '../model/reports.ts';
import { Problem } from '../problems.ts';
import { exportPath } from '../reports/export/export-endpoint.ts';
import { type ExportName, exportNames } from '../reports/export/formats.ts';
import { reportPath } from '../reports/page-endpoint.ts';
import { dropInPath } from '../reports/v2-compat/drop-in.ts';
import type { AnswerError } from './error-handler.ts';
import { statusPath } from './status-endpoint.ts';

export interface AppParts {
  readonly basePath: string;
  readonly rateLimit: RequestHandler;
  readonly site: RequestHandler;
  readonly report: (report: Report) => RequestHandler<{ id: string }>;
  readonly exports: (report: Report, format: ExportName) => RequestHandler<{ id: string }>;
  readonly summary: RequestHandler<{ id: string }>;
  readonly status: RequestHandler;
  /** Serves programs written for Constant Contact v2; undefined unless `server.dropInV2` is set. */
  readonly dropIn: ((report: Report) => RequestHandler<{ id: string }>) | undefined;
  readonly answerError: AnswerError;
}

/** Builds the application. Guards and limits run before it, so every request in it is admitted. */
export function createApp(parts: AppParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.set('case sensitive routing', true);

  app.use(parts.rateLimit);
  app.use(parts.site);
  for (const report of allReports) {
    app.all(`${parts.basePath}${reportPath(report)}`, parts.report(report));
    for (const name of exportNames) {
      app.all(`${parts.basePath}${exportPath(report, name)}`, parts.exports(report, name));
    }
    if (parts.dropIn) app.all(`${parts.basePath}${dropInPath(report)}`, parts.dropIn(report));
  }
  app.all(`${parts.basePath}${summaryPath}`, parts.summary);
  app.all(`${parts.basePath}${statusPath}`, parts.status);
  app.use(nothingHere);
  const onError: ErrorRequestHandler = (error: unknown, req, res, _next) => {
    if (error === clientDisconnected || res.headersSent) res.destroy();
    else parts.answerError(error, req, contextOf(req));
  };
  app.use(onError);
  return app;
}

const nothingHere: RequestHandler = (_req, _res, next) => next(new Problem('not-found'));
