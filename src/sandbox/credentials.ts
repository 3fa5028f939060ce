/**
 * Checks a call's credentials. Refusals quote them, as careless servers do.
 */
import type { IncomingMessage } from 'node:http';
import type { SandboxAnswer } from './answer.ts';
import type { SandboxOAuth } from './oauth/oauth-server.ts';
import { v2Errors } from './v2.ts';
import { v3Errors } from './v3.ts';

interface V2Credentials {
  readonly apiKey?: string;
  /** Without one, or with an empty one, no token is required. */
  readonly accessToken?: string;
}

export function refuseV2(
  { apiKey, accessToken }: V2Credentials,
  req: IncomingMessage,
  url: URL,
): SandboxAnswer | undefined {
  const isTokenGood = !accessToken || req.headers.authorization === `Bearer ${accessToken}`;
  if (url.searchParams.get('api_key') === apiKey && isTokenGood) return undefined;
  const message = `The key or token is not valid: ${url.search}`;
  return v2Errors.error(401, 'http.status.authentication.invalid_token', message);
}

export function refuseV3(oauth: SandboxOAuth | undefined, req: IncomingMessage): SandboxAnswer | undefined {
  const token = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1] ?? '';
  if (oauth?.takes(token)) return undefined;
  return v3Errors.error(401, 'unauthorized', `The token is not valid: ${token}`);
}
