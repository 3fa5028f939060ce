/**
 * Shapes token responses in every form that may occur.
 */
import type { SandboxAnswer } from '../answer.ts';

/**
 * Shape of token responses. The vendor documents one form; its server's paths look like Okta's, so anything that Okta sends
 * may occur.
 */
export interface TokenShape {
  /** `okta`: with an `id_token` and Okta's headers; `minimal`: only the two tokens. */
  readonly answers?: 'standard' | 'okta' | 'minimal';
  /** Oddities, all applied at once. */
  readonly oddities?: readonly TokenOddity[];
  /** Overrides fields of the response by name; null is JSON null. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Status instead of 200. */
  readonly status?: number;
  /** Number of responses with this shape; later ones are as documented. Default all. */
  readonly times?: number;
}

/** Oddities by name: of the fields, the text, or the transfer. */
export type TokenOddity = keyof typeof fieldOddities | keyof typeof textOddities | 'cut' | 'stall';

export type Fields = Readonly<Record<string, unknown>>;

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

/** A response, and where it breaks off. */
export interface OAuthAnswer extends SandboxAnswer {
  /** Omits the last characters: then the connection breaks (`cut`) or nothing more arrives (`stall`). */
  readonly ends?: 'cut' | 'stall';
}

/** Builds a response with these fields in this shape. */
export function shapely(shape: TokenShape, standard: Fields): OAuthAnswer {
  const oddities = shape.oddities ?? [];
  let fields = standard;
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

/** Selects the fields of a grant for the shape. */
export function grantFields({ answers }: TokenShape, standard: Fields, clientId: string, nowMs: number): Fields {
  switch (answers) {
    case 'minimal':
      return { access_token: standard['access_token'], refresh_token: standard['refresh_token'] };
    case 'okta':
      return { ...standard, id_token: idToken(clientId, nowMs) };
    default:
      return standard;
  }
}

const oktaHeaders = {
  'Cache-Control': 'no-cache, no-store',
  Pragma: 'no-cache',
  Expires: '0',
  'X-Okta-Request-Id': 'sandbox',
  'X-Rate-Limit-Limit': '300',
  'X-Rate-Limit-Remaining': '299',
};

/** A JWT with a fake signature. */
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
