/**
 * Constant Contact's OAuth2 server: the refresh of tokens, and the device flow by which a person gives the first ones.
 */
import { randomBytes } from 'node:crypto';
import { Problem } from '../../problems.ts';
import { ConnectionFailure, type Salvaged, Transport } from '../transport.ts';
import { fieldsOf, type Grant, readGrant, reasonOf, secondsOf, text } from './token-answer.ts';

export interface OAuthClient {
  /** `…/v1/token`; the device endpoint is beside it, at `…/v1/device/authorize`. */
  readonly tokenUrl: string;
  readonly clientId: string;
  /** Undefined for a public client. */
  readonly clientSecret?: string | undefined;
  readonly userAgent: string;
  /** Until an answer begins. */
  readonly timeoutMs: number;
  /** From then on until it ends; 10 seconds without it. */
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
 * Why there is no grant, out of a closed set: an OAuth error code, `throttled`, `http-5xx`, `timeout`, `too-large`, `redirect`,
 * Node's code of a connection, `token-type` (one that is no bearer's), `no-access-token` or `unusable-answer`. Nothing else of
 * what the server said.
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

/** An answer with an `id_token` has a few KB. The beginning of a longer one is still searched for a refresh token. */
const maxAnswerBytes = 1024 * 1024;
/** Independent of `timeoutMs`: when an answer has begun the token that was sent is spent, and the next one is on its way. */
const defaultBodyMs = 10_000;
const scope = 'campaign_data offline_access';
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/** Short and printable: what is shown in a terminal must not command it. */
const codePattern = /^[\x21-\x7e]{1,4096}$/;
const userCodePattern = /^[\x20-\x7e]{1,100}$/;
const urlPattern = /^https?:\/\/[\x21-\x7e]{1,2000}$/;
/** RFC 8628 §3.2, where no interval is given. */
const defaultIntervalSeconds = 5;
const longestIntervalSeconds = 60;
/** Life of a code where none can be read, and the longest that is believed. */
const defaultCodeSeconds = 600;
const longestCodeSeconds = 3_600;

/**
 * What tells who we are: the device flow takes the client's id and no secret (vendor's documentation); all else takes the secret,
 * where there is one.
 */
type ClientBy = 'id' | 'secret';

export class TokenEndpoint {
  readonly #client: OAuthClient;
  readonly #transport: Transport;

  constructor(client: OAuthClient) {
    this.#client = client;
    const { origin } = new URL(client.tokenUrl);
    this.#transport = new Transport({
      baseUrl: origin,
      userAgent: client.userAgent,
      maxResponseBytes: maxAnswerBytes,
    });
  }

  /**
   * Whatever comes with a refresh token is a grant, also when it has no access token: it has to be kept.
   *
   * @throws GrantError
   */
  refresh(refreshToken: string): Promise<Grant> {
    return this.#grant({ grant_type: 'refresh_token', refresh_token: refreshToken }, 'secret');
  }

  /** The same. @throws GrantError, with `authorization_pending` and `slow_down` while the person has not decided */
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
    // Google's servers say `url`, and others have come to.
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

  /** @throws GrantError when there is no answer at all */
  async #post(url: string, form: Readonly<Record<string, string>>, by: ClientBy): Promise<Salvaged> {
    const { clientId, clientSecret, timeoutMs, bodyMs = defaultBodyMs } = this.#client;
    const body = new URLSearchParams(form);
    // Uncompressed, so that the part of an answer that broke off can be read.
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    // One kind of credentials a request (RFC 6749 §2.3).
    if (by === 'id' || clientSecret === undefined) body.set('client_id', clientId);
    // With id and secret as they are, as the vendor documents it: RFC 6749 §2.3.1 would have them percent-encoded.
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
