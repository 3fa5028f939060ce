/**
 * Builds v3's tokens: refreshed in a file, shared with other instances through Redis.
 */
import type { Clock } from '../clock.ts';
import { type OutboundProxies, proxyFor } from '../config/outbound-proxy.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { isTunnelCode } from '../config/tunnel-code.ts';
import type { Emit } from '../events.ts';
import type { Redis } from '../redis/redis.ts';
import type { KeyRing } from '../storage/key-ring.ts';
import type { RefreshOrder, RefreshOutcome } from '../upstream/oauth/refresh.ts';
import { SharedTokens, type TokenSharing, tokenKeyOf } from '../upstream/oauth/shared-tokens.ts';
import { TokenStore } from '../upstream/oauth/token-store.ts';
import { Tokens } from '../upstream/oauth/tokens.ts';
import type { ProxyLog } from './outbound-proxy.ts';

export interface TokenParts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly secrets: Secrets;
  readonly proxies: OutboundProxies;
  readonly userAgent: string;
  readonly proxyLog: ProxyLog;
  readonly refreshTokens: (order: RefreshOrder) => Promise<RefreshOutcome>;
  /** Undefined for a single instance. */
  readonly redis: Redis | undefined;
  /** Keys that encrypt values in Redis, if configured. */
  readonly keyRing: KeyRing | undefined;
  /** Called with new credentials: if the earlier ones were refused, a probe finds whether these are accepted. */
  readonly credentialsReplaced: () => void;
}

export function buildTokens({ constantContact }: Config, parts: TokenParts): Tokens {
  const { clock, emit, secrets, userAgent, refreshTokens, credentialsReplaced, redis, proxies, proxyLog } = parts;
  const { timeoutMs, oauth } = constantContact;
  const { tokenUrl, tokenFile } = oauth;
  const sharing = () => tokenSharing(parts);
  if (redis && !sharing()) emit('token.not_shared', {});
  const store = new TokenStore({
    tokenFile,
    clientId: () => secrets.get('clientId') ?? '',
    configured: () => secrets.get('refreshToken'),
    shared: redis && new SharedTokens(redis, clock, sharing),
    lockMs: timeoutMs * 2,
  });
  const refreshes = logOfRefreshes(emit, tokenFile);
  const tokens = new Tokens({
    clock,
    read: () => store.read(),
    watch: (changed) => store.watch(changed),
    refresh: (replaces, held) =>
      refreshTokens({
        ...{ tokenUrl, tokenFile, userAgent, timeoutMs, replaces, held, proxy: proxyFor(tokenUrl, proxies) },
        clientId: secrets.get('clientId') ?? '',
        clientSecret: secrets.get('clientSecret'),
        refreshToken: secrets.get('refreshToken'),
        sharing: sharing(),
      }),
    onTokens: (values, hasAccessToken) => {
      secrets.learn(values);
      if (!hasAccessToken) return;
      credentialsReplaced();
      refreshes.replaced();
    },
    onOutcome: (result, isMissing) => {
      if (result.reason !== undefined && isTunnelCode(result.reason)) proxyLog.failed(result.reason);
      else if (result.outcome === 'renewed') proxyLog.worked();
      if (result.reason === 'redis') void store.reconcile();
      refreshes.tried(result, isMissing);
    },
  });
  store.share(() => tokens.reload());
  return tokens;
}

/** Returns how to share tokens; undefined without Redis, or without a secret common to all instances to encrypt them. */
function tokenSharing({ secrets, redis, keyRing }: TokenParts): TokenSharing | undefined {
  const redisUrl = secrets.get('redisUrl');
  const clientSecret = secrets.get('clientSecret');
  if (!redis || redisUrl === undefined) return undefined;
  const given = keyRing?.keys.map(({ value }) => value.toString('base64')) ?? [];
  const sealingKeys = [...given, ...(clientSecret === undefined ? [] : [tokenKeyOf(clientSecret)])];
  if (sealingKeys.length === 0) return undefined;
  return { redisUrl, key: redis.key('{tokens}'), channel: redis.channel, sealingKeys };
}

/** Logs each change of state once, not every failed refresh. */
function logOfRefreshes(emit: Emit, file: string) {
  let logged: RefreshOutcome['outcome'] | 'missing' = 'renewed';
  return {
    /** A different access token is in use. */
    replaced(): void {
      if (logged === 'refused') emit('token.replaced', {});
      logged = 'renewed';
    },
    tried({ outcome, reason }: RefreshOutcome, isMissing: boolean): void {
      emit('token.refresh_tried', { outcome });
      const state = outcome === 'failed' && isMissing ? 'missing' : outcome;
      if (state === 'renewed') emit('token.renewed', {});
      else if (state === logged || logged === 'refused') return;
      else if (state === 'missing') emit('token.missing', { reason, file });
      else if (state === 'failed') emit('token.refresh_failed', { reason, file });
      else emit('token.refused', { reason });
      logged = state;
    },
  };
}
