/**
 * Signs requests with credentials: v2's key and token, or v3's access token. The rest of this room never sees them.
 */
import { type Clock, settlesWithin } from '../clock.ts';
import { Problem } from '../problems.ts';
import type { UpstreamRequest } from './adapter.ts';

export interface Credentials {
  /**
   * Returns undefined if credentials are available; else resolves when they are.
   *
   * @throws Problem `upstream-credentials-refused` or `upstream-failed` if none can be obtained
   */
  ready(): Promise<void> | undefined;
  /** Signs a request with the current credentials. Sign anew for every call. */
  sign(request: UpstreamRequest): SignedRequest;
}

export interface SignedRequest {
  readonly request: UpstreamRequest;
  /**
   * Reports a 401: replaceable credentials are replaced before the next call.
   *
   * @param isCertain whether the question was known to be valid
   */
  readonly refused: (isCertain: boolean) => void;
}

export interface ApiKey {
  apiKey(): string;
  accessToken(): string | undefined;
}

/** For v2: the key in every query, the account's token in a header (vendor's SDKs). */
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

/** v3's access token and its renewal. */
export interface BearerTokens {
  current(): string;
  ready(): Promise<void> | undefined;
  /**
   * Replaces a refused token before the next call.
   *
   * @param isCertain whether the question was known to be valid; otherwise the token is replaced at most once a minute
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
 * Resolves when credentials are available.
 *
 * @throws Problem of the credentials, or `upstream-timeout` if there are none within `ms`
 */
export async function haveCredentials(credentials: Credentials, clock: Clock, ms: number): Promise<void> {
  const waiting = credentials.ready();
  if (waiting && !(await settlesWithin(clock, ms, waiting))) {
    throw new Problem('upstream-timeout', { reason: 'token' });
  }
}
