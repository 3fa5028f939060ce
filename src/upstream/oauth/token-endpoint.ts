/**
 * Client of Constant Contact's OAuth2 server: refreshes tokens, and runs the device flow that yields the first ones.
 */
import { randomBytes } from 'node:crypto';
import type { OutboundProxy } from '../../config/outbound-proxy.ts';
import { Problem } from '../../problems.ts';
import { ConnectionFailure, type Salvaged, Transport } from '../transport.ts';
import { fieldsOf, type Grant, readGrant, reasonOf, secondsOf, text } from './token-answer.ts';

export interface OAuthClient {
  /** `…/v1/token`; the device endpoint is `…/v1/device/authorize` beside it. */
  readonly tokenUrl: string;
  readonly clientId: string;
  /** Undefined for a public client. */
  readonly clientSecret?: string | undefined;
  readonly userAgent: string;
  /** Until the response begins. */
  readonly timeoutMs: number;
  /** Undefined to connect directly. */
  readonly proxy?: OutboundProxy | undefined;
  /** From then until it ends. Default 10 seconds. */
  readonly bodyMs?: number | undefined;
}

export interface DeviceCode {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly verificationUri: string;
  readonly expiresInSeconds: number;
  readonly intervalSeconds: number;
}

/**
 * Why there is no grant, from a closed set: an OAuth error code, `throttled`, `http-5xx`, `timeout`, `too-large`, `redirect`,
 * Node's connection error code, what failed between here and a proxy (`PROXY_407`), `token-type` (not a bearer token), `no-access-token` or `unusable-answer`. Contains nothing
 * else that the server said.
 */
export class GrantError extends Error {
  override readonly name = 'GrantError';
  readonly reason: string;

  constructor(reason: string) {
    super('Constant Contact grants no token');
    this.reason = reason;
  }

  /** Whether a later try may succeed. */
  get isPassing(): boolean {
    return /^(?!PROXY_4)[A-Z]|^(throttled|http-5xx|timeout)$/.test(this.reason);
  }

  /** Whether a person must act before another try can succeed. */
  get isFinal(): boolean {
    return ['invalid_grant', 'invalid_client', 'unauthorized_client'].includes(this.reason);
  }
}

/** Responses with an `id_token` have a few KB. The start of a longer one is still searched for a refresh token. */
const maxAnswerBytes = 1024 * 1024;
/** Independent of `timeoutMs`: once a response begins, the sent token is spent and the next one is on its way. */
const defaultBodyMs = 10_000;
const scope = 'campaign_data offline_access';
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/** Short and printable: it is shown in a terminal and must not contain control sequences. */
const codePattern = /^[\x21-\x7e]{1,4096}$/;
const userCodePattern = /^[\x20-\x7e]{1,100}$/;
const urlPattern = /^https?:\/\/[\x21-\x7e]{1,2000}$/;
/** RFC 8628 §3.2: default without an interval. */
const defaultIntervalSeconds = 5;
const longestIntervalSeconds = 60;
/** Default lifetime of a code, and the longest accepted. */
const defaultCodeSeconds = 600;
const longestCodeSeconds = 3_600;

/**
 * How the client identifies itself: the device flow takes its id without a secret (vendor's documentation); all other
 * requests take the secret, if there is one.
 */
type ClientBy = 'id' | 'secret';

export class TokenEndpoint {
  readonly #client: OAuthClient;
  readonly #transport: Transport;

  constructor(client: OAuthClient) {
    this.#client = client;
    const { tokenUrl, userAgent, timeoutMs, proxy } = client;
    this.#transport = new Transport({
      ...{ baseUrl: new URL(tokenUrl).origin, userAgent, timeoutMs, proxy },
      maxResponseBytes: maxAnswerBytes,
    });
  }

  /**
   * Refreshes. Any response with a refresh token is a grant, even without an access token: it must be stored.
   *
   * @throws GrantError
   */
  refresh(refreshToken: string): Promise<Grant> {
    return this.#grant({ grant_type: 'refresh_token', refresh_token: refreshToken }, 'secret');
  }

  /**
   * Polls the device flow. Returns like `refresh`. @throws GrantError, with `authorization_pending` and `slow_down` until the
   * person has decided
   */
  device(deviceCode: string): Promise<Grant> {
    return this.#grant({ grant_type: deviceGrant, device_code: deviceCode }, 'id');
  }

  /** Begins a device flow (RFC 8628). @throws GrantError */
  async deviceCode(): Promise<DeviceCode> {
    const { href } = new URL('device/authorize', this.#client.tokenUrl);
    const state = randomBytes(24).toString('base64url');
    const { status, body, failure } = await this.#post(href, { response_type: 'code', scope, state }, 'id');
    const fields = fieldsOf(body);
    const reason = reasonOf(status, fields, failure && reasonOfFailure(failure));
    if (reason !== undefined) throw new GrantError(reason);
    // Google's servers use `url`, and others have adopted it.
    const [verificationUri] = [
      'verification_uri_complete',
      'verification_url_complete',
      'verification_uri',
      'verification_url',
    ]
      .map((name) => text(fields?.[name], urlPattern))
      .filter((uri) => uri !== undefined);
    const deviceCode = text(fields?.['device_code'], codePattern);
    const userCode = text(fields?.['user_code'], userCodePattern);
    if (!deviceCode || !userCode || !verificationUri) throw new GrantError('unusable-answer');
    const seconds = (name: string, otherwise: number, most: number) =>
      Math.min(secondsOf(fields?.[name]) ?? otherwise, most);
    return {
      deviceCode,
      userCode,
      verificationUri,
      expiresInSeconds: seconds('expires_in', defaultCodeSeconds, longestCodeSeconds),
      intervalSeconds: seconds('interval', defaultIntervalSeconds, longestIntervalSeconds),
    };
  }

  close(): void {
    this.#transport.close();
  }

  async #grant(form: Readonly<Record<string, string>>, by: ClientBy): Promise<Grant> {
    const { status, body, failure } = await this.#post(this.#client.tokenUrl, form, by);
    const grant = readGrant(status, body, failure && reasonOfFailure(failure));
    if (grant.reason !== undefined && grant.refreshToken === undefined) throw new GrantError(grant.reason);
    return grant;
  }

  /** @throws GrantError if no response begins */
  async #post(url: string, form: Readonly<Record<string, string>>, by: ClientBy): Promise<Salvaged> {
    const { clientId, clientSecret, timeoutMs, bodyMs = defaultBodyMs } = this.#client;
    const body = new URLSearchParams(form);
    // Uncompressed, so that a truncated response stays readable.
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    // One kind of credentials per request (RFC 6749 §2.3).
    if (by === 'id' || clientSecret === undefined) body.set('client_id', clientId);
    // Raw id and secret, as the vendor documents; RFC 6749 §2.3.1 would percent-encode them.
    else headers['authorization'] = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
    try {
      const request = { path: new URL(url).pathname, query: {}, headers, form: body };
      return await this.#transport.salvage(request, timeoutMs, bodyMs);
    } catch (error) {
      throw new GrantError(reasonOfFailure(error));
    }
  }
}

function reasonOfFailure(error: unknown): string {
  if (error instanceof ConnectionFailure) return error.code;
  if (error instanceof Problem) return error.reason ?? error.code;
  return 'unusable-answer';
}
