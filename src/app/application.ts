/**
 * The Express application: its middleware, in order.
 */
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { oldSummaryPath } from '../campaigns/endpoints.ts';
import { clientDisconnected } from '../http/disconnect.ts';
import { contextOf } from '../http/request-context.ts';
import type { List } from '../model/list.ts';
import { lists } from '../model/resources.ts';
import { Problem } from '../problems.ts';
import { exportPath } from '../reports/export/export-endpoint.ts';
import { type ExportName, exportNames } from '../reports/export/formats.ts';
import type { PageEndpoint } from '../reports/page-endpoint.ts';
import type { AnswerError } from './error-handler.ts';
import { statusPath } from './status-endpoint.ts';

export interface AppParts {
  readonly basePath: string;
  readonly rateLimit: RequestHandler;
  readonly site: RequestHandler;
  readonly endpoints: readonly PageEndpoint[];
  readonly exports: (list: List, format: ExportName) => RequestHandler<{ id?: string }>;
  readonly oldSummary: RequestHandler<{ id: string }>;
  readonly status: RequestHandler;
  /** For programs written for Constant Contact v2; empty unless `server.dropInV2` is set. */
  readonly dropIns: readonly PageEndpoint[];
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
  for (const list of Object.values(lists)) {
    for (const name of exportNames) {
      app.all(`${parts.basePath}${exportPath(list, name)}`, parts.exports(list, name));
    }
  }
  for (const { route, handle } of [...parts.endpoints, ...parts.dropIns]) app.all(`${parts.basePath}${route}`, handle);
  app.all(`${parts.basePath}${oldSummaryPath}`, parts.oldSummary);
  app.all(`${parts.basePath}${statusPath}`, parts.status);
  app.use(nothingHere(parts.basePath));
  const onError: ErrorRequestHandler = (error: unknown, req, res, _next) => {
    if (error === clientDisconnected || res.headersSent) res.destroy();
    else parts.answerError(error, req, contextOf(req));
  };
  app.use(onError);
  return app;
}

/** Paths of the management listener that the callers' listener does not have. */
const managementPaths = ['/livez', '/readyz', '/metrics', '/purge'];

function nothingHere(basePath: string): RequestHandler {
  return ({ path }, _res, next) => {
    if (managementPaths.includes(path)) {
      return next(new Problem('not-found', { detail: `${path} is on the management listener (\`management.port\`).` }));
    }
    const example = `GET ${basePath}/campaigns/{id}/sends`;
    if (`${path}/`.startsWith(`${basePath}/`)) {
      const detail = `This path does not exist. The API reference lists those that do, such as ${example}.`;
      return next(new Problem('not-found', { detail }));
    }
    const detail = `The paths of this Sendgate begin with ${basePath}, such as ${example}.`;
    next(new Problem('not-found', { detail }));
  };
}
