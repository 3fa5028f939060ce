/**
 * The sandbox's OAuth2 endpoint: `…/token` and `…/device/authorize`.
 */
import type { Clock } from '../../clock.ts';
import { type DeviceDecision, DeviceFlow } from './device-flow.ts';
import { type Grant, Grants, newToken } from './grants.ts';
import { type Fields, grantFields, type OAuthAnswer, shapely, type TokenShape } from './token-shape.ts';

export interface SandboxOAuthOptions {
  readonly clientId: string;
  /** Undefined for a public client. */
  readonly clientSecret?: string;
  /** The first refresh token. */
  readonly refreshToken: string;
  /** Whether a refresh token works only once; true without it. */
  readonly rotating?: boolean;
  /** Life of an access token; a day without it. */
  readonly accessTokenSeconds?: number;
  /** Milliseconds between the moment when a refresh token is spent and the answer. */
  readonly delayMs?: number;
  /** Life of a device code, and the time between two polls. */
  readonly deviceSeconds?: number;
  readonly intervalSeconds?: number;
  /** What answers look like; the documented ones without it. */
  readonly shape?: TokenShape;
}

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

export class SandboxOAuth {
  readonly #options: SandboxOAuthOptions;
  readonly #clock: Clock;
  readonly #grants: Grants;
  readonly #device: DeviceFlow;
  #lastCallAt = Number.NEGATIVE_INFINITY;
  #shape: TokenShape;
  #shaped = 0;

  constructor(options: SandboxOAuthOptions, clock: Clock) {
    this.#options = options;
    this.#shape = options.shape ?? {};
    this.#clock = clock;
    this.#grants = new Grants(options, clock);
    this.#device = new DeviceFlow(options, clock);
  }

  takes(accessToken: string): boolean {
    return this.#grants.takes(accessToken);
  }

  /** Ends all access tokens, as if their time were over. */
  expire(): void {
    this.#grants.expire();
  }

  /** Ends all tokens: a person has to authorize again. */
  revoke(): void {
    this.#grants.revoke();
  }

  /** What a person gets who authorizes anew. */
  authorize(): Grant {
    return this.#grants.issue();
  }

  /** From here on, answers look like this. */
  shape(shape: TokenShape): void {
    this.#shape = shape;
    this.#shaped = 0;
  }

  decide(decision: DeviceDecision): void {
    this.#device.decide(decision);
  }

  /** @param limited whether only one call a second is taken */
  answer(path: string, authorization: string | undefined, text: string, limited: boolean): OAuthAnswer {
    const now = this.#clock.now();
    const tooSoon = limited && now - this.#lastCallAt < 1000;
    this.#lastCallAt = now;
    if (tooSoon) return fail('too_many_requests', 429);
    const form = new URLSearchParams(text);
    const isBegun = path.endsWith('/device/authorize');
    const grantType = form.get('grant_type');
    const isOfDevice = isBegun || grantType === deviceGrant;
    if (!this.#knows(authorization, form, isOfDevice)) return fail('invalid_client', 401);
    if (isBegun) return this.#beginDevice(form);
    switch (grantType) {
      case 'refresh_token':
        return this.#refreshed(form.get('refresh_token') ?? '');
      case deviceGrant:
        return this.#pollDevice(form.get('device_code') ?? '');
      default:
        return fail('unsupported_grant_type');
    }
  }

  /** The device flow takes the client's id and no secret, whether there is one or not (vendor's documentation). */
  #knows(authorization: string | undefined, form: URLSearchParams, isOfDevice: boolean): boolean {
    const { clientId, clientSecret } = this.#options;
    if (isOfDevice || clientSecret === undefined)
      return authorization === undefined && form.get('client_id') === clientId;
    if (form.has('client_id')) return false; // One kind of credentials a request (RFC 6749 §2.3).
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    return authorization === `Basic ${basic}`;
  }

  #refreshed(refreshToken: string): OAuthAnswer {
    const grant = this.#grants.refresh(refreshToken);
    return grant ? this.#granted(grant) : fail('invalid_grant');
  }

  #beginDevice(form: URLSearchParams): OAuthAnswer {
    if (form.get('response_type') !== 'code' || !form.get('state')) return fail('invalid_request');
    const scopes = form.get('scope')?.split(' ') ?? [];
    // Campaigns are read with the one, and refresh tokens come with the other.
    if (!['campaign_data', 'offline_access'].every((scope) => scopes.includes(scope))) return fail('invalid_scope');
    return this.#shapely(this.#device.begin(newToken()));
  }

  #pollDevice(code: string): OAuthAnswer {
    const outcome = this.#device.poll(code);
    return outcome === 'approved' ? this.#granted(this.#grants.issue()) : fail(outcome);
  }

  #granted({ accessToken, refreshToken }: Grant): OAuthAnswer {
    const standard = {
      token_type: 'Bearer',
      expires_in: this.#grants.lifeSeconds,
      access_token: accessToken,
      scope: 'campaign_data offline_access',
      refresh_token: refreshToken,
    };
    return this.#shapely(grantFields(this.#shape, standard, this.#options.clientId, this.#clock.now()));
  }

  #shapely(fields: Fields): OAuthAnswer {
    const isOver = this.#shaped++ >= (this.#shape.times ?? Number.POSITIVE_INFINITY);
    return shapely(isOver ? {} : this.#shape, fields);
  }
}

const fail = (error: string, status = 400): OAuthAnswer => ({
  status,
  body: JSON.stringify({ error, error_description: 'The sandbox refuses.' }),
});
