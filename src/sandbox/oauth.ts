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
  /** What answers look like; the documented ones without it. */
  readonly shape?: TokenShape;
}

/**
 * What answers with tokens look like. The vendor documents one form; its server's paths have the form of Okta's, so that whatever
 * Okta sends may come.
 */
export interface TokenShape {
  /** `okta`: with an `id_token` and Okta's headers; `minimal`: the two tokens and nothing else. */
  readonly answers?: 'standard' | 'okta' | 'minimal';
  /** What is odd about them, all at once. */
  readonly oddities?: readonly TokenOddity[];
  /** Put over the fields of the answer, under their own names; null where JSON has null. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Instead of 200. */
  readonly status?: number;
  /** Calls that are answered like this; all without it, and afterwards as if there were no shape. */
  readonly times?: number;
}

/** By name, what is done to an answer: to its fields, to its text, or to its way through the network. */
export type TokenOddity = keyof typeof fieldOddities | keyof typeof textOddities | 'cut' | 'stall';

type Fields = Readonly<Record<string, unknown>>;

const without = (name: string) => (fields: Fields) =>
  Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name));

const fieldOddities = {
  'expires-text': (fields: Fields) => ({ ...fields, expires_in: String(fields['expires_in'] ?? 86_400) }),
  'expires-missing': without('expires_in'),
  'expires-negative': (fields: Fields) => ({ ...fields, expires_in: -1 }),
  'expires-huge': (fields: Fields) => ({ ...fields, expires_in: 1e21 }),
  'scope-list': (fields: Fields) => ({ ...fields, scope: ['campaign_data', 'offline_access'] }),
  'scope-null': (fields: Fields) => ({ ...fields, scope: null }),
  'type-missing': without('token_type'),
  'type-lower': (fields: Fields) => ({ ...fields, token_type: 'bearer' }),
  'type-unknown': (fields: Fields) => ({ ...fields, token_type: 'DPoP' }),
  'id-token-broken': (fields: Fields) => ({ ...fields, id_token: 'no.jwt' }),
  'access-missing': without('access_token'),
  'access-number': (fields: Fields) => ({ ...fields, access_token: 7 }),
  'interval-text': (fields: Fields) =>
    'interval' in fields ? { ...fields, interval: String(fields['interval']) } : fields,
  'interval-missing': without('interval'),
  'url-named': (fields: Fields) =>
    Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name.replace('verification_uri', 'verification_url'), value]),
    ),
  'with-error': (fields: Fields) => ({ ...fields, error: 'temporarily_unavailable' }),
  nested: (fields: Fields) => ({ extra: { refresh_token: 'of-somebody-else', list: [[{}]] }, ...fields }),
};

const textOddities = {
  'byte-order-mark': (text: string) => `\ufeff${text}`,
  'white-space': (text: string) => `\r\n\t ${text}\n\n`,
  'twice-named': (text: string) => text.replace(/\}$/, ',"scope":"b","scope":["c"],"access_token":null}'),
  long: (text: string) => text.replace(/\}$/, `,"padding":"${'p'.repeat(200_000)}"}`),
  endless: (text: string) => text.replace(/\}$/, `,"padding":"${'p'.repeat(3_000_000)}"}`),
};

/** An answer, and how far it gets. */
export interface OAuthAnswer extends SandboxAnswer {
  readonly headers?: Readonly<Record<string, string>>;
  /** Without its last characters: then the connection breaks, or nothing more comes. */
  readonly ends?: 'cut' | 'stall';
}

/** What the person at the other device does. */
export type DeviceDecision = 'approve' | 'deny' | 'slow_down';

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
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
  #shape: TokenShape;
  #shaped = 0;

  constructor(options: SandboxOAuthOptions, clock: Clock) {
    this.#options = options;
    this.#shape = options.shape ?? {};
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
    return this.#issue(newToken());
  }

  /** From here on, answers look like this. */
  shape(shape: TokenShape): void {
    this.#shape = shape;
    this.#shaped = 0;
  }

  decide(decision: DeviceDecision): void {
    if (this.#device) this.#device.decision = decision;
  }

  /** `limited`: one call a second is taken. */
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
    if (!this.#refresh.has(refreshToken)) return fail('invalid_grant');
    if (this.#options.rotating === false) return this.#grant(refreshToken);
    this.#refresh.delete(refreshToken);
    return this.#grant(newToken());
  }

  get #lifeSeconds(): number {
    return this.#options.accessTokenSeconds ?? 86_400;
  }

  #issue(refreshToken: string): { readonly accessToken: string; readonly refreshToken: string } {
    const accessToken = newToken();
    this.#access.set(accessToken, this.#clock.now() + this.#lifeSeconds * 1000);
    this.#refresh.add(refreshToken);
    return { accessToken, refreshToken };
  }

  #grant(refreshToken: string): OAuthAnswer {
    const { accessToken } = this.#issue(refreshToken);
    const standard = {
      token_type: 'Bearer',
      expires_in: this.#lifeSeconds,
      access_token: accessToken,
      scope: 'campaign_data offline_access',
      refresh_token: refreshToken,
    };
    switch (this.#shape.answers) {
      case 'minimal':
        return this.#shapely({ access_token: accessToken, refresh_token: refreshToken });
      case 'okta':
        return this.#shapely({ ...standard, id_token: idToken(this.#options.clientId, this.#clock.now()) });
      default:
        return this.#shapely(standard);
    }
  }

  /** As the shape that was chosen has it. */
  #shapely(standard: Fields): OAuthAnswer {
    const shape = this.#shape;
    if (this.#shaped++ >= (shape.times ?? Number.POSITIVE_INFINITY)) return ok(standard);
    const oddities = shape.oddities ?? [];
    let fields: Fields = standard;
    for (const name of oddities)
      if (name in fieldOddities) fields = fieldOddities[name as keyof typeof fieldOddities](fields);
    let body = JSON.stringify({ ...fields, ...shape.fields });
    for (const name of oddities) if (name in textOddities) body = textOddities[name as keyof typeof textOddities](body);
    const ends = oddities.find((name) => name === 'cut' || name === 'stall');
    return {
      status: shape.status ?? 200,
      body,
      ...(shape.answers === 'okta' ? { headers: oktaHeaders } : {}),
      ...(ends ? { ends } : {}),
    };
  }

  #beginDevice(form: URLSearchParams): OAuthAnswer {
    if (form.get('response_type') !== 'code' || !form.get('state')) return fail('invalid_request');
    const scopes = form.get('scope')?.split(' ') ?? [];
    // Campaigns are read with the one, and refresh tokens come with the other.
    if (!['campaign_data', 'offline_access'].every((scope) => scopes.includes(scope))) return fail('invalid_scope');
    const { deviceSeconds = 600, intervalSeconds = 5 } = this.#options;
    const code = newToken();
    this.#device = {
      code,
      endsAt: this.#clock.now() + deviceSeconds * 1000,
      polledAt: Number.NEGATIVE_INFINITY,
      intervalMs: intervalSeconds * 1000,
    };
    return this.#shapely({
      device_code: code,
      user_code: 'SAND-BOXX',
      verification_uri: 'https://identity.example.com/activate',
      verification_uri_complete: 'https://identity.example.com/activate?user_code=SAND-BOXX',
      expires_in: deviceSeconds,
      interval: intervalSeconds,
    });
  }

  #pollDevice(code: string): OAuthAnswer {
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

const oktaHeaders = {
  'Cache-Control': 'no-cache, no-store',
  Pragma: 'no-cache',
  Expires: '0',
  'X-Okta-Request-Id': 'sandbox',
  'X-Rate-Limit-Limit': '300',
  'X-Rate-Limit-Remaining': '299',
};

/** Three parts in base64url, none of which is signed by anybody. */
function idToken(clientId: string, nowMs: number): string {
  const issuedAt = Math.floor(nowMs / 1000);
  const claims = {
    iss: 'https://identity.example.com/oauth2/default',
    aud: clientId,
    sub: '00u1',
    iat: issuedAt,
    exp: issuedAt + 3600,
  };
  const parts = [JSON.stringify({ alg: 'RS256', kid: 'sandbox' }), JSON.stringify(claims), 'a signature'];
  return parts.map((part) => Buffer.from(part).toString('base64url')).join('.');
}
