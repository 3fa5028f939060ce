/**
 * `GET|HEAD /status`: the state that every caller may see.
 */
import type { RequestHandler } from 'express';
import { answerJson, requireJson } from '../http/json-response.ts';
import { answeredOptions } from '../http/methods.ts';
import { contextOf } from '../http/request-context.ts';
import type { PublicStatus } from '../observability/status.ts';

export const statusPath = '/status';

export function publicStatus(read: () => PublicStatus | Promise<PublicStatus>): RequestHandler {
  return async (req) => {
    contextOf(req).record.route = statusPath;
    if (answeredOptions(req)) return;
    requireJson(req.headers);
    answerJson(req, 'no-store', await read());
  };
}
