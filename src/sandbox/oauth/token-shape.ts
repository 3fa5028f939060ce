/**
 * Answers with tokens, in every form in which they may come.
 */
import type { SandboxAnswer } from '../answer.ts';

/**
 * What answers with tokens look like. The vendor documents one form; its server's paths have the form of Okta's, so that all
 * that Okta sends may come.
 */
export interface TokenShape {
  /** `okta`: with an `id_token` and Okta's headers; `minimal`: the two tokens and nothing else. */
  readonly answers?: 'standard' | 'okta' | 'minimal';
  /** What is odd about them; all of these at once. */
  readonly oddities?: readonly TokenOddity[];
  /** Put over the fields of the answer, under their own names; null where JSON has null. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Instead of 200. */
  readonly status?: number;
  /** Calls that are answered like this, and later ones as documented; all without it. */
  readonly times?: number;
}

/** By name, what is done to an answer: to its fields, to its text, or to its way through the network. */
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

/** An answer, and how far it gets. */
export interface OAuthAnswer extends SandboxAnswer {
  /** Without its last characters: then the connection breaks, or nothing more comes. */
  readonly ends?: 'cut' | 'stall';
}

/** The answer with these fields, in this shape. */
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

/** The fields of a grant, as many as the shape has. */
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

/** Three parts in base64url, with a signature that is none. */
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
