/**
 * Constant Contact v2's own resource, for programs that were written for it: the same pages in v2's form.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import type { Problem, ProblemCode } from '../problems.ts';
import { searchOf } from '../resource.ts';
import { cursorPattern } from '../upstream/dialect.ts';
import { parseInstant } from './instant.ts';
import type { WalkStep } from './links.ts';
import type { SendsQuery } from './query.ts';

export const dropInPath = '/v2/emailmarketing/campaigns/:id/tracking/sends';
/** What a v2 client sends in the query to say who it is. */
const credentials = new Set(['api_key', 'access_token']);
/** Of such a name, with every character encoded. */
const maxNameLength = 36;

/**
 * Whether a request is for v2's path, so that its answer has to be in v2's form, errors too. Only the path tells: what a
 * query holds is anybody's.
 */
export function dropInRule(basePath: string): (req: IncomingMessage) => boolean {
  const path = `${basePath.replaceAll('.', '\\.')}${dropInPath.replace(':id', '[^/?]*')}`;
  // A target may be a whole URL (RFC 9112 §3.2.2).
  const pattern = new RegExp(`^(?:https?://[^/?]*)?${path}/?(?:\\?|$)`);
  return ({ url = '' }) => pattern.test(url);
}

/** Throws away what such a program sends as its credentials, before anything can read, log or forward it. */
export const forgetCredentials: RequestHandler = (req, _res, next) => {
  delete req.headers.authorization;
  const search = searchOf(req.url);
  const kept = search
    .split('&')
    .filter((pair) => !isCredential(pair))
    .join('&');
  const path = req.url.slice(0, req.url.length - search.length).replace(/\?$/, '');
  req.url = kept === '' ? path : `${path}?${kept}`;
  next();
};

function isCredential(pair: string): boolean {
  const [name = ''] = pair.split('=', 1);
  if (name.length > maxNameLength) return false;
  return credentials.has(name.includes('%') ? ([...new URLSearchParams(name).keys()][0] ?? '') : name);
}

/** Marks a cursor of ours: v2's carried the instant from which a walk goes, and clients send nothing beside it. */
const mark = 'sendgate';

/** A link as v2 made them: from the root of its API, with a cursor that carries everything. */
export function dropInLink({ campaign, createdSince, cursor }: WalkStep): string {
  const whole =
    createdSince === undefined ? cursor : Buffer.from(`${mark} ${createdSince} ${cursor}`).toString('base64url');
  return `${dropInPath.replace(':id', encodeURIComponent(campaign))}?next=${encodeURIComponent(whole)}`;
}

/** The question that such a program asks. A cursor that only looks like one of ours is Constant Contact's to refuse. */
export function dropInQuery(query: SendsQuery): SendsQuery {
  const text = Buffer.from(query.cursor ?? '', 'base64url').toString('latin1');
  const [first, createdSince = '', ...rest] = text.split(' ');
  const cursor = rest.join(' ');
  const isOurs = first === mark && parseInstant(createdSince) === createdSince && cursorPattern.test(cursor);
  return { ...query, ...(isOurs && { createdSince, cursor }), form: 'v2' };
}

const keys: Readonly<Partial<Record<ProblemCode, string>>> = {
  'invalid-request': 'query.param.invalid',
  'invalid-cursor': 'query.param.invalid',
  unauthorized: 'http.status.authentication.invalid_token',
  'campaign-not-found': 'http.status.not_found',
  'not-acceptable': 'http.status.not_acceptable',
  'method-not-allowed': 'http.status.method_not_allowed',
  'internal-error': 'http.status.internal_server_error',
};

/** An error as v2 told them; with a key of our own where v2 had none. */
export function dropInError({ code, message, errors }: Problem): string {
  const details = errors?.map(({ parameter, problem, allowed }) => `${parameter} ${problem}; allowed: ${allowed}`);
  const messages = details ?? [message];
  const error_key = keys[code] ?? `sendgate.${code}`;
  return JSON.stringify(messages.map((error_message) => ({ error_key, error_message })));
}
