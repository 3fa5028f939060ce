/**
 * `GET|HEAD /status`: what every caller may know.
 */
import type { RequestHandler } from 'express';
import { answerJson, hasToAcceptJson } from '../http/json-response.ts';
import { onlyReads } from '../http/methods.ts';
import { exchangeOf } from '../http/request-context.ts';
import type { PublicStatus } from '../observability/status.ts';

export const statusPath = '/status';

export function publicStatus(read: () => PublicStatus | Promise<PublicStatus>): RequestHandler {
  return async (req) => {
    exchangeOf(req).told.route = statusPath;
    if (onlyReads(req)) return;
    hasToAcceptJson(req.headers);
    answerJson(req, 'no-store', await read());
  };
}
