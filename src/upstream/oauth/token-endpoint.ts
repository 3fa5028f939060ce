/**
 * Constant Contact's OAuth2 server: the refresh of tokens, and the device flow by which a person gives the first ones.
 */
import * as oauth from 'oauth4webapi';
import { Problem } from '../../problems.ts';
import { ConnectionFailure, Transport } from '../transport.ts';

export interface OAuthClient {
  /** `…/v1/token`; the device endpoint is beside it, at `…/v1/device/authorize`. */
  readonly tokenUrl: string;
  readonly clientId: string;
  /** Undefined for a public client. */
  readonly clientSecret?: string | undefined;
  readonly userAgent: string;
  /** One exchange. */
  readonly timeoutMs: number;
}

/** What a grant brings. */
export interface Grant {
  readonly accessToken: string;
  /** The next refresh token, or the same again where they live long. */
  readonly refreshToken: string | undefined;
  readonly expiresInSeconds: number;
}

export interface DeviceCode {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly verificationUri: string;
  readonly expiresInSeconds: number;
  readonly intervalSeconds: number;
}

/**
 * Why there is no grant, out of a closed set: an OAuth error code, `throttled`, `http-5xx`, `timeout`, `too-large`,
 * `redirect`, Node's code of a connection, or `unusable-answer`. Nothing else of what the server said.
 */
export class GrantError extends Error {
  override readonly name = 'GrantError';
  readonly reason: string;

  constructor(reason: string) {
    super('Constant Contact grants no token');
    this.reason = reason;
  }

  /** Whether it may pass by itself. */
  get isPassing(): boolean {
    return /^[A-Z]|^(throttled|http-5xx|timeout)$/.test(this.reason);
  }

  /** Whether the application or a person has to do something before another try can work. */
  get isFinal(): boolean {
    return ['invalid_grant', 'invalid_client', 'unauthorized_client'].includes(this.reason);
  }
}

/** Where no life is told: a day (vendor's documentation). */
const defaultLifeSeconds = 86_400;
const maxAnswerBytes = 64 * 1024;
const scope = 'campaign_data offline_access';
/** An error code as RFC 6749 §5.2 and RFC 8628 §3.5 have them. */
const codePattern = /^[a-z_]{3,40}$/;

export class TokenEndpoint {
  readonly #server: oauth.AuthorizationServer;
  readonly #client: oauth.Client;
  readonly #authentication: oauth.ClientAuth;
  readonly #transport: Transport;
  readonly #options: {
    readonly [oauth.customFetch]: (
      url: string,
      options: oauth.CustomFetchOptions<string, unknown>,
    ) => Promise<Response>;
    readonly [oauth.allowInsecureRequests]: true;
  };

  constructor({ tokenUrl, clientId, clientSecret, userAgent, timeoutMs }: OAuthClient) {
    const { origin } = new URL(tokenUrl);
    this.#server = {
      issuer: origin,
      token_endpoint: tokenUrl,
      device_authorization_endpoint: new URL('device/authorize', tokenUrl).href,
    };
    this.#client = { client_id: clientId };
    this.#authentication = clientSecret === undefined ? oauth.None() : plainBasic(clientSecret);
    this.#transport = new Transport({ baseUrl: origin, userAgent, maxResponseBytes: maxAnswerBytes });
    this.#options = {
      // The configuration has seen to it that plain HTTP goes no further than loopback.
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: async (url, { headers, body }) => {
        const form = new URLSearchParams(body as URLSearchParams);
        const request = { path: new URL(url).pathname, query: {}, headers, form };
        const reply = await this.#transport.send(request, timeoutMs);
        if (reply.status === 429) throw new Problem('upstream-busy', { reason: 'throttled' });
        if (reply.status >= 500) throw new Problem('upstream-failed', { reason: 'http-5xx' });
        return new Response(reply.body, { status: reply.status, headers: { 'content-type': 'application/json' } });
      },
    };
  }

  /** @throws GrantError */
  refresh(refreshToken: string): Promise<Grant> {
    return this.#grant(oauth.refreshTokenGrantRequest, oauth.processRefreshTokenResponse, refreshToken);
  }

  /** @throws GrantError, with `authorization_pending` and `slow_down` while the person has not decided */
  device(deviceCode: string): Promise<Grant> {
    return this.#grant(oauth.deviceCodeGrantRequest, oauth.processDeviceCodeResponse, deviceCode);
  }

  /** Begins a device flow (RFC 8628). @throws GrantError */
  async deviceCode(): Promise<DeviceCode> {
    const [server, client] = [this.#server, this.#client];
    const parameters = { response_type: 'code', scope, state: oauth.generateRandomState() };
    const answer = await orGrantError(async () =>
      oauth.processDeviceAuthorizationResponse(
        server,
        client,
        await oauth.deviceAuthorizationRequest(server, client, this.#authentication, parameters, this.#options),
      ),
    );
    return {
      deviceCode: answer.device_code,
      userCode: answer.user_code,
      verificationUri: answer.verification_uri_complete ?? answer.verification_uri,
      expiresInSeconds: answer.expires_in,
      intervalSeconds: answer.interval ?? 5,
    };
  }

  close(): void {
    this.#transport.close();
  }

  async #grant(
    request: typeof oauth.refreshTokenGrantRequest,
    read: typeof oauth.processRefreshTokenResponse,
    tokenOrCode: string,
  ): Promise<Grant> {
    const [server, client] = [this.#server, this.#client];
    const answer = await orGrantError(async () =>
      read(server, client, await request(server, client, this.#authentication, tokenOrCode, this.#options)),
    );
    return {
      accessToken: answer.access_token,
      refreshToken: answer.refresh_token,
      expiresInSeconds: answer.expires_in ?? defaultLifeSeconds,
    };
  }
}

/**
 * HTTP Basic with id and secret as they are, as the vendor documents it; the library would percent-encode the dashes of an
 * id, which the letter of RFC 6749 §2.3.1 asks for and few servers undo.
 */
function plainBasic(clientSecret: string): oauth.ClientAuth {
  return (_server, { client_id }, _body, headers) => {
    const credentials = Buffer.from(`${client_id}:${clientSecret}`).toString('base64');
    headers.set('authorization', `Basic ${credentials}`);
  };
}

/** Errors of the library hold the answer, and with it tokens: nothing but a code goes on. */
async function orGrantError<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw new GrantError(reasonOf(error));
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof oauth.ResponseBodyError && codePattern.test(error.error)) return error.error;
  if (error instanceof oauth.WWWAuthenticateChallengeError) return 'invalid_client';
  if (error instanceof ConnectionFailure) return error.code;
  if (error instanceof Problem) return error.reason ?? error.code;
  return 'unusable-answer';
}
