/**
 * Serves the sandbox's OAuth2 endpoints: `…/token` and `…/device/authorize`.
 */
import type { Clock } from '../../clock.ts';
import { type DeviceDecision, DeviceFlow } from './device-flow.ts';
import { type Grant, Grants, newToken } from './grants.ts';
import { type Fields, grantFields, type OAuthAnswer, shapely, type TokenShape } from './token-shape.ts';

export interface SandboxOAuthOptions {
  readonly clientId: string;
  /** Undefined for a public client. */
  readonly clientSecret?: string;
  /** The initial refresh token. */
  readonly refreshToken: string;
  /** Whether a refresh token works only once. Default true. */
  readonly rotating?: boolean;
  /** Lifetime of access tokens. Default a day. */
  readonly accessTokenSeconds?: number;
  /** Milliseconds between spending a refresh token and the response. */
  readonly delayMs?: number;
  /** Lifetime of a device code, and the interval between polls. */
  readonly deviceSeconds?: number;
  readonly intervalSeconds?: number;
  /** Shape of responses. Default as documented. */
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

  /** Ends all access tokens, as if they had expired. */
  expire(): void {
    this.#grants.expire();
  }

  /** Ends all tokens: a person must authorize again. */
  revoke(): void {
    this.#grants.revoke();
  }

  /** Issues tokens as if a person had authorized again. */
  authorize(): Grant {
    return this.#grants.issue();
  }

  /** Sets the shape of responses from now on. */
  shape(shape: TokenShape): void {
    this.#shape = shape;
    this.#shaped = 0;
  }

  decide(decision: DeviceDecision): void {
    this.#device.decide(decision);
  }

  /** @param limited whether only one call a second is accepted */
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

  /**
   * Whether the client is authenticated. The device flow takes its id without a secret, even if there is one (vendor's
   * documentation).
   */
  #knows(authorization: string | undefined, form: URLSearchParams, isOfDevice: boolean): boolean {
    const { clientId, clientSecret } = this.#options;
    if (isOfDevice || clientSecret === undefined)
      return authorization === undefined && form.get('client_id') === clientId;
    if (form.has('client_id')) return false; // One kind of credentials per request (RFC 6749 §2.3).
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
    // The first scope allows reading campaigns, the second yields refresh tokens.
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
