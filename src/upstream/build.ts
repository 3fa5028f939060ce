/**
 * Constant Contact put together: what the configuration says, behind one small interface.
 */
import { unwatchFile, watchFile } from 'node:fs';
import type { Clock } from '../clock.ts';
import { baseUrls, type Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import type { Logger } from '../operations/log.ts';
import { Problem } from '../problems.ts';
import type { KeyRing } from '../redis/key-ring.ts';
import type { Redis } from '../redis/redis.ts';
import { Breaker, circuitOpen } from './breaker.ts';
import { CampaignIds } from './campaign-ids.ts';
import type { Dialect } from './dialect.ts';
import { Gate } from './gate.ts';
import { borrowTokens, isFrom, type RefreshOrder, type RefreshOutcome } from './oauth/refresh.ts';
import { SharedTokens, type TokenSharing, tokenKeyOf } from './oauth/shared-tokens.ts';
import { readTokens, type StoredTokens } from './oauth/token-file.ts';
import { Tokens } from './oauth/tokens.ts';
import { quotaExhausted } from './quota/day.ts';
import { Quota, type QuotaEvents } from './quota/quota.ts';
import { SharedQuota } from './quota/shared-quota.ts';
import { RetryBudget } from './retry-budget.ts';
import { Transport } from './transport.ts';
import { type CallObserver, Upstream } from './upstream.ts';
import { v2 } from './v2.ts';
import { v3 } from './v3.ts';

interface Parts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly secrets: Secrets;
  readonly userAgent: string;
  /** Weights of all teams, by name. */
  readonly weights: ReadonlyMap<string, number>;
  readonly onCall: CallObserver;
  readonly onWait: QuotaEvents['waited'];
  readonly refreshTokens: (order: RefreshOrder) => Promise<RefreshOutcome>;
  readonly onRefresh: (outcome: RefreshOutcome) => void;
  /** What the instances share; undefined where this is the only one. */
  readonly redis: Redis | undefined;
  /** The keys for what is left there, where there are any. */
  readonly keyRing: KeyRing | undefined;
}

export interface BuiltUpstream {
  readonly upstream: Upstream;
  readonly quota: Quota;
  /** v3's; undefined for v2. */
  readonly tokens: Tokens | undefined;
  readonly credentialsGate: Gate;
  readonly dayGate: Gate;
  readonly breaker: Breaker;
}

/** In case the limit was raised in the course of the day. */
const quotaProbeMs = 3_600_000;

/** Builds it, with a line in the log for each thing that an operator should hear of, once each way. */
export function buildUpstream(config: Config, { clock, log, ...parts }: Parts): BuiltUpstream {
  const { constantContact } = config;
  const { api } = constantContact;
  const credentialsGate = new Gate(clock, {
    probeEveryMs: constantContact.credentialsRetrySeconds * 1000,
    problem: () => new Problem('upstream-credentials-refused', { reason: 'gate' }),
    onChange: (shut) => {
      if (shut) log.error(`Constant Contact refuses the credentials: ${remedies[api]}`);
      else log.info('Constant Contact takes the credentials again');
    },
  });
  const dayGate = new Gate(clock, {
    probeEveryMs: quotaProbeMs,
    problem: () => quotaExhausted(clock.now()),
    onChange: (shut) => {
      if (shut) log.error("Constant Contact's quota of the day is spent: held pages are served until 00:00 UTC");
      else log.info('Constant Contact takes calls again');
    },
  });
  const quotaEvents: QuotaEvents = {
    waited: parts.onWait,
    passed: (percent) => log.warn({ percent, perDay: config.quota.perDay }, "part of the day's calls is spent"),
    unsaved: (reason) => log.error({ reason, file: config.quota.stateFile }, "the day's count cannot be kept"),
  };
  const sharedQuota = parts.redis && new SharedQuota(parts.redis);
  const quota = new Quota(clock, config.quota, parts.weights, quotaEvents, sharedQuota);
  const breaker = new Breaker(
    clock,
    { failures: constantContact.breakerFailures, probeEveryMs: constantContact.breakerProbeMs },
    (open) => {
      if (!open) return log.info('Constant Contact answers again');
      log.error('Constant Contact is down: held pages are served, and it is tried now and then');
      quota.refuseWaiting(circuitOpen(constantContact.breakerProbeMs));
    },
  );
  const tokens = api === 'v3' ? buildTokens(config, { clock, log, credentialsGate, ...parts }) : undefined;
  const dialect: Dialect = tokens
    ? v3(tokens, new CampaignIds({ tokens, clock, notFoundSeconds: config.cache.notFoundSeconds }))
    : v2({
        apiKey: () => parts.secrets.get('apiKey') ?? '',
        accessToken: () => parts.secrets.get('accessToken'),
      });
  const upstream = new Upstream(
    {
      dialect,
      ready: () => tokens?.ready(),
      transport: new Transport({
        baseUrl: constantContact.baseUrl || baseUrls[api],
        userAgent: parts.userAgent,
        maxResponseBytes: constantContact.maxResponseBytes,
      }),
      quota,
      credentialsGate,
      dayGate,
      breaker,
      retryBudget: new RetryBudget(constantContact.retryPercent),
      clock,
      observe: parts.onCall,
    },
    { ...constantContact, bulkDeadlineMs: config.exports.patienceSeconds * 1000 },
  );
  return { upstream, quota, tokens, credentialsGate, dayGate, breaker };
}

const remedies = {
  v2: 'replace the API key or the access token',
  v3: 'see that the application may read campaign data, or authorize it anew with `npm run authorize`',
};

interface TokenParts extends Omit<Parts, 'weights' | 'onCall' | 'onWait'> {
  readonly credentialsGate: Gate;
}

/** Undefined where there is no Redis, or nothing that all instances have to encrypt the tokens with. */
function tokenSharing({ secrets, redis, keyRing }: TokenParts): TokenSharing | undefined {
  const redisUrl = secrets.get('redisUrl');
  const clientSecret = secrets.get('clientSecret');
  if (!redis || redisUrl === undefined) return undefined;
  const given = keyRing?.keys.map(({ value }) => value.toString('base64')) ?? [];
  const sealingKeys = [...given, ...(clientSecret === undefined ? [] : [tokenKeyOf(clientSecret)])];
  if (sealingKeys.length === 0) return undefined;
  return { redisUrl, key: redis.key('{tokens}'), channel: redis.channel, sealingKeys };
}

function buildTokens({ constantContact }: Config, parts: TokenParts): Tokens {
  const { clock, log, secrets, userAgent, refreshTokens, credentialsGate, redis } = parts;
  const { tokenUrl, tokenFile } = constantContact.oauth;
  const clientId = () => secrets.get('clientId') ?? '';
  const isOurs = (stored: StoredTokens) =>
    stored.clientId === clientId() && isFrom(secrets.get('refreshToken'), stored);
  const read = () => {
    const stored = readTokens(tokenFile, clientId());
    return stored && isOurs(stored) ? stored : undefined;
  };
  const shared = redis && new SharedTokens(redis, clock, () => tokenSharing(parts));
  if (shared && !tokenSharing(parts)) {
    log.warn(
      'without a client secret or cache.encryptionKeyFile the instances do not share tokens: give them one file',
    );
  }
  const reconcile = async () => {
    const borrow = async (theirs: StoredTokens) =>
      isOurs(theirs) && borrowTokens(tokenFile, theirs, constantContact.timeoutMs * 2);
    if (await shared?.reconcile(read(), borrow)) tokens.reload();
  };
  shared?.listen(() => void reconcile());
  let told: RefreshOutcome['outcome'] = 'renewed';
  const tokens: Tokens = new Tokens({
    clock,
    read,
    watch: (changed) => {
      const onChange = () => {
        changed();
        void reconcile();
      };
      watchFile(tokenFile, { interval: 1_000, persistent: false }, onChange);
      return () => unwatchFile(tokenFile, onChange);
    },
    refresh: (replaces) =>
      refreshTokens({
        tokenUrl,
        tokenFile,
        userAgent,
        timeoutMs: constantContact.timeoutMs,
        clientId: clientId(),
        clientSecret: secrets.get('clientSecret'),
        refreshToken: secrets.get('refreshToken'),
        sharing: tokenSharing(parts),
        replaces,
      }),
    onTokens: (values) => {
      secrets.learn(values);
      credentialsGate.probeNow();
      if (told === 'refused') log.info('there are new tokens');
      told = 'renewed';
    },
    onOutcome: (result) => {
      parts.onRefresh(result);
      const { outcome, reason } = result;
      if (reason === 'redis') void reconcile();
      if (outcome === 'renewed') log.info('the access token was renewed');
      else if (outcome === told || told === 'refused')
        return; // It has been said.
      else if (outcome === 'failed') {
        log.warn({ reason, file: tokenFile }, 'the access token could not be renewed: it is tried again');
      } else {
        log.error({ reason }, 'Constant Contact refuses the refresh token: run `npm run authorize`');
      }
      told = outcome;
    },
  });
  return tokens;
}
