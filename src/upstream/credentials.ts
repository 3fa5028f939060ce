/**
 * What makes a request ours: v2's key and token, v3's access token. Nothing else in this room knows them.
 */
import { type Clock, settlesWithin } from '../clock.ts';
import { Problem } from '../problems.ts';
import type { UpstreamRequest } from './adapter.ts';

export interface Credentials {
  /**
   * Undefined when there are credentials to call with; else resolves when there are.
   *
   * @throws Problem `upstream-credentials-refused` or `upstream-failed` when there are none to be had
   */
  ready(): Promise<void> | undefined;
  /** The request with those of this moment: to be signed anew for every call. */
  sign(request: UpstreamRequest): SignedRequest;
}

export interface SignedRequest {
  readonly request: UpstreamRequest;
  /**
   * The request was answered 401: credentials that can be replaced are, before the next call.
   *
   * @param isCertain whether the question was known to be good
   */
  readonly refused: (isCertain: boolean) => void;
}

export interface ApiKey {
  apiKey(): string;
  accessToken(): string | undefined;
}

/** v2's: the key in the query of every call, the account's token in a header (vendor's SDKs). */
export function apiKeyCredentials({ apiKey, accessToken }: ApiKey): Credentials {
  return {
    ready: () => undefined,
    sign: (request) => ({
      request: {
        ...request,
        query: { api_key: apiKey(), ...request.query },
        headers: { ...request.headers, ...bearer(accessToken()) },
      },
      refused: () => {},
    }),
  };
}

/** v3's access token, and what renews it. */
export interface BearerTokens {
  current(): string;
  ready(): Promise<void> | undefined;
  /**
   * Has a token that was not taken replaced before the next call.
   *
   * @param isCertain whether the question was known to be good; on the word of others it is replaced once a minute
   */
  refused(token: string, isCertain: boolean): void;
}

export function bearerCredentials(tokens: BearerTokens): Credentials {
  return {
    ready: () => tokens.ready(),
    sign(request) {
      const token = tokens.current();
      return {
        request: { ...request, headers: { ...request.headers, ...bearer(token) } },
        refused: (isCertain) => tokens.refused(token, isCertain),
      };
    },
  };
}

const bearer = (token: string | undefined) => (token === undefined ? {} : { authorization: `Bearer ${token}` });

/**
 * Resolves when there are credentials to call with.
 *
 * @throws Problem, that of the credentials, or `upstream-timeout` when there are none within `ms`
 */
export async function haveCredentials(credentials: Credentials, clock: Clock, ms: number): Promise<void> {
  const waiting = credentials.ready();
  if (waiting && !(await settlesWithin(clock, ms, waiting))) {
    throw new Problem('upstream-timeout', { reason: 'token' });
  }
}
