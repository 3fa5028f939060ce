/**
 * Reads the scopes that an access token names.
 */
import { z } from 'zod';
import { parseJson } from '../model/json.ts';

/** The scope of every call but the neutral one, which needs none (vendor's documentation). */
export const neededScope = 'campaign_data';

/** The scopes in a JWT (RFC 7519): `scp` where Okta made it, `scope` by RFC 8693 §4.2. */
const claims = z.object({ scp: z.array(z.string()).optional(), scope: z.string().optional() });

/** False for a token that says nothing of its scopes: how the vendor's tokens are made is not documented. */
export function lacksScope(token: string): boolean {
  const [, payload = ''] = token.split('.');
  try {
    const { scp, scope } = claims.parse(parseJson(Buffer.from(payload, 'base64url').toString()));
    const scopes = scp ?? scope?.split(' ');
    return scopes !== undefined && !scopes.includes(neededScope);
  } catch {
    return false;
  }
}
