/**
 * The sandbox's OAuth2 server: refresh tokens that rotate or live long, and the device flow.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { SandboxAnswer } from './v2.ts';

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
}

/** What the person at the other device does. */
export type DeviceDecision = 'approve' | 'deny' | 'slow_down';

const newToken = () => randomBytes(24).toString('base64url');

export class SandboxOAuth {
  readonly #options: SandboxOAuthOptions;
  readonly #clock: Clock;
  /** When they end, by access token. */
  readonly #access = new Map<string, number>();
  readonly #refresh: Set<string>;
  #device:
    | { code: string; endsAt: number; polledAt: number; intervalMs: number; decision?: DeviceDecision }
    | undefined;
  #lastCallAt = Number.NEGATIVE_INFINITY;

  constructor(options: SandboxOAuthOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#refresh = new Set([options.refreshToken]);
  }

  takes(accessToken: string): boolean {
    return (this.#access.get(accessToken) ?? 0) > this.#clock.now();
  }

  /** Ends all access tokens, as if their time were over. */
  expire(): void {
    this.#access.clear();
  }

  /** Ends everything: a person has to authorize again. */
  revoke(): void {
    this.#access.clear();
    this.#refresh.clear();
  }

  /** What a person gets who authorizes anew. */
  authorize(): { readonly accessToken: string; readonly refreshToken: string } {
    const { access_token, refresh_token } = JSON.parse(this.#grant(newToken()).body);
    return { accessToken: access_token, refreshToken: refresh_token };
  }

  decide(decision: DeviceDecision): void {
    if (this.#device) this.#device.decision = decision;
  }

  /** `limited`: one call a second is taken. */
  answer(path: string, authorization: string | undefined, text: string, limited: boolean): SandboxAnswer {
    const now = this.#clock.now();
    const tooSoon = limited && now - this.#lastCallAt < 1000;
    this.#lastCallAt = now;
    if (tooSoon) return fail('too_many_requests', 429);
    const form = new URLSearchParams(text);
    if (!this.#knows(authorization, form)) return fail('invalid_client', 401);
    if (path.endsWith('/device/authorize')) return this.#beginDevice(form);
    switch (form.get('grant_type')) {
      case 'refresh_token':
        return this.#refreshed(form.get('refresh_token') ?? '');
      case 'urn:ietf:params:oauth:grant-type:device_code':
        return this.#pollDevice(form.get('device_code') ?? '');
      default:
        return fail('unsupported_grant_type');
    }
  }

  #knows(authorization: string | undefined, form: URLSearchParams): boolean {
    const { clientId, clientSecret } = this.#options;
    if (clientSecret === undefined) return authorization === undefined && form.get('client_id') === clientId;
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    return authorization === `Basic ${basic}`;
  }

  #refreshed(refreshToken: string): SandboxAnswer {
    if (!this.#refresh.has(refreshToken)) return fail('invalid_grant');
    if (this.#options.rotating === false) return this.#grant(refreshToken);
    this.#refresh.delete(refreshToken);
    return this.#grant(newToken());
  }

  #grant(refreshToken: string): SandboxAnswer {
    const seconds = this.#options.accessTokenSeconds ?? 86_400;
    const accessToken = newToken();
    this.#access.set(accessToken, this.#clock.now() + seconds * 1000);
    this.#refresh.add(refreshToken);
    return ok({
      token_type: 'Bearer',
      expires_in: seconds,
      access_token: accessToken,
      scope: 'campaign_data offline_access',
      refresh_token: refreshToken,
    });
  }

  #beginDevice(form: URLSearchParams): SandboxAnswer {
    if (form.get('response_type') !== 'code' || !form.get('scope')) return fail('invalid_request');
    const { deviceSeconds = 600, intervalSeconds = 5 } = this.#options;
    const code = newToken();
    this.#device = {
      code,
      endsAt: this.#clock.now() + deviceSeconds * 1000,
      polledAt: Number.NEGATIVE_INFINITY,
      intervalMs: intervalSeconds * 1000,
    };
    return ok({
      device_code: code,
      user_code: 'SAND-BOXX',
      verification_uri: 'https://identity.example.com/activate',
      verification_uri_complete: 'https://identity.example.com/activate?user_code=SAND-BOXX',
      expires_in: deviceSeconds,
      interval: intervalSeconds,
    });
  }

  #pollDevice(code: string): SandboxAnswer {
    const device = this.#device;
    const now = this.#clock.now();
    if (device?.code !== code) return fail('invalid_grant');
    if (now >= device.endsAt) return fail('expired_token');
    const tooSoon = now - device.polledAt < device.intervalMs;
    device.polledAt = now;
    if (tooSoon || device.decision === 'slow_down') {
      if (device.decision === 'slow_down') delete device.decision;
      device.intervalMs += 5_000; // RFC 8628 §3.5
      return fail('slow_down');
    }
    if (device.decision === undefined) return fail('authorization_pending');
    this.#device = undefined;
    return device.decision === 'approve' ? this.#grant(newToken()) : fail('access_denied');
  }
}

const ok = (body: object): SandboxAnswer => ({ status: 200, body: JSON.stringify(body) });
const fail = (error: string, status = 400): SandboxAnswer => ({
  status,
  body: JSON.stringify({ error, error_description: 'The sandbox refuses.' }),
});
