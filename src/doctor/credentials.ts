/**
 * The credentials of the neutral call, and what its answer says about them. Never refreshes a token: a refresh token may work
 * only once.
 */
import type { Loaded } from '../config/load.ts';
import type { UpstreamRequest } from '../upstream/adapter.ts';
import { apiKeyCredentials, bearerCredentials } from '../upstream/credentials.ts';
import type { StoredTokens } from '../upstream/oauth/stored-tokens.ts';
import { TokenStore } from '../upstream/oauth/token-store.ts';
import type { CheckResult } from './check-result.ts';
import { inWords } from './clock-difference.ts';
import type { Answered } from './neutral-answer.ts';
import { lacksScope, neededScope } from './token-scope.ts';

export interface HeldCredentials {
  /** Adds the credentials to a request. */
  readonly sign: (request: UpstreamRequest) => UpstreamRequest;
  /** Values to redact that the configuration does not have. */
  readonly secrets: readonly string[];
  /** Why no answer can say that they are good. */
  readonly unusable: CheckResult | undefined;
  /** Whether the access token says that it is for something else than campaigns. */
  readonly lacksScope: boolean;
}

export function heldCredentials(loaded: Loaded, nowMs: number): HeldCredentials {
  const { config, secrets } = loaded;
  if (config.constantContact.api === 'v3') return ofTokens(storedTokens(loaded), loaded, nowMs);
  const credentials = apiKeyCredentials({
    apiKey: () => secrets.apiKey?.value ?? '',
    accessToken: () => secrets.accessToken?.value,
  });
  return { sign: (request) => credentials.sign(request).request, secrets: [], unusable: undefined, lacksScope: false };
}

function storedTokens({ config, secrets }: Loaded): StoredTokens | undefined {
  const store = new TokenStore({
    tokenFile: config.constantContact.oauth.tokenFile,
    clientId: () => secrets.clientId?.value ?? '',
    configured: () => secrets.refreshToken?.value,
    shared: undefined,
    lockMs: 0,
  });
  return store.read();
}

function ofTokens(stored: StoredTokens | undefined, loaded: Loaded, nowMs: number): HeldCredentials {
  const token = stored?.accessToken ?? '';
  const { sign } = bearerCredentials({ current: () => token, ready: () => undefined, refused: () => {} });
  return {
    sign: (request) => (token === '' ? request : sign(request).request),
    secrets: [token, stored?.refreshToken ?? '', stored?.replaced ?? ''].filter((value) => value !== ''),
    unusable: unusable(stored, loaded, nowMs),
    lacksScope: lacksScope(token),
  };
}

/** Why the stored token cannot be accepted, and what the next start does. */
function unusable(stored: StoredTokens | undefined, { secrets }: Loaded, nowMs: number): CheckResult | undefined {
  const about = { kind: 'credentials', check: 'credentials' } as const;
  if (!stored && !secrets.refreshToken) {
    const found = 'the token file has no tokens of this application';
    if (!secrets.redisUrl) return { ...about, state: 'failed', found, remedy: 'run `npm run authorize`' };
    return { ...about, state: 'note', found, remedy: 'the start takes those of another instance from Redis' };
  }
  const remedy = 'the start gets one with the refresh token, which is not tried here: it may work only once';
  if (!stored || stored.accessToken === '') {
    return { ...about, state: 'note', found: 'no access token is stored yet', remedy };
  }
  const agoMs = nowMs - stored.expiresAt;
  if (agoMs < 0) return undefined;
  return { ...about, state: 'warning', found: `the access token expired ${inWords(agoMs)} ago`, remedy };
}

const withoutScope = {
  found: `the access token lacks the scope ${neededScope}`,
  remedy: 'let the application have that scope, and run `npm run authorize`',
};

const refusedRemedies = {
  v2: 'replace CONSTANT_CONTACT_API_KEY or CONSTANT_CONTACT_ACCESS_TOKEN',
  v3: 'the start renews the access token; if that is refused too, run `npm run authorize`',
} as const;

/** What the answer says about the credentials and, with v3, about the privileges of their user. */
export function judgeCredentials(
  { reply, finding }: Answered,
  api: 'v2' | 'v3',
  { unusable: expected, lacksScope }: Pick<HeldCredentials, 'unusable' | 'lacksScope'>,
): readonly CheckResult[] {
  const credentials = { kind: 'credentials', check: 'credentials' } as const;
  const privileges = { kind: 'privileges', check: 'privileges' } as const;
  const ofPrivileges = (result: Pick<CheckResult, 'state' | 'found' | 'remedy'>) =>
    api === 'v3' ? [{ ...privileges, ...result }] : [];
  const accepted: CheckResult = { ...credentials, state: 'ok', found: 'accepted by Constant Contact' };
  if (finding === 'answered' && reply.status === 200) {
    if (lacksScope) return [accepted, ...ofPrivileges({ state: 'failed', ...withoutScope })];
    return [accepted, ...ofPrivileges({ state: 'ok', found: 'the user may read reports' })];
  }
  if (finding === 'unprivileged') {
    const found = 'the user who authorized Sendgate may not read reports (lacks ui:campaign:metrics)';
    const remedy = 'run `npm run authorize` as Owner or Account Manager; a Campaign Creator may not';
    return [accepted, ...ofPrivileges({ state: 'failed', found, remedy })];
  }
  const untested = ofPrivileges({ state: 'note', found: 'not tested' });
  if (expected && (finding !== 'refused' || reply.status === 401)) return [expected, ...untested];
  if (finding !== 'refused') return [{ ...credentials, state: 'note', found: 'not tested' }, ...untested];
  const byFirewall = reply.status === 403 ? ', or see whether a firewall between refuses the call' : '';
  const remedy = `${refusedRemedies[api]}${byFirewall}`;
  return [{ ...credentials, state: 'failed', found: `refused (HTTP ${reply.status})`, remedy }, ...untested];
}
