/**
 * Constant Contact put together: what the configuration says, behind one small interface.
 */
import { unwatchFile, watchFile } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { baseUrls } from '../config/sections/constant-contact.ts';
import type { Emit } from '../events.ts';
import type { OddField, OddRows } from '../model/rows.ts';
import { accountName, type TeamShare } from '../quota/day-shares.ts';
import { Quota, type QuotaEvents } from '../quota/quota.ts';
import type { Digest } from '../redis/digests.ts';
import type { Redis } from '../redis/redis.ts';
import type { KeyRing } from '../storage/key-ring.ts';
import { StateFile } from '../storage/state-file.ts';
import type { Dialect } from '../upstream/adapter.ts';
import { CampaignIds } from '../upstream/campaign-ids.ts';
import { buildGates, type Gates } from '../upstream/gates.ts';
import { KnownIds } from '../upstream/known-ids.ts';
import { borrowTokens, isFrom, type RefreshOrder, type RefreshOutcome } from '../upstream/oauth/refresh.ts';
import { SharedTokens, type TokenSharing, tokenKeyOf } from '../upstream/oauth/shared-tokens.ts';
import { readTokens, type StoredTokens } from '../upstream/oauth/token-file.ts';
import { Tokens } from '../upstream/oauth/tokens.ts';
import { Prober } from '../upstream/prober.ts';
import { RetryBudget } from '../upstream/retry-budget.ts';
import { SharedIds } from '../upstream/shared-ids.ts';
import { Transport } from '../upstream/transport.ts';
import { Upstream } from '../upstream/upstream.ts';
import { v2 } from '../upstream/v2.ts';
import { v3 } from '../upstream/v3.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly secrets: Secrets;
  readonly userAgent: string;
  /** All teams, by name. */
  readonly teams: ReadonlyMap<string, TeamShare>;
  readonly refreshTokens: (order: RefreshOrder) => Promise<RefreshOutcome>;
  /** What the instances share; undefined where this is the only one. */
  readonly redis: Redis | undefined;
  /** The keys for what is left there, where there are any. */
  readonly keyRing: KeyRing | undefined;
  /** Keyed with what the instances have in common. */
  readonly digest: Digest;
  /** Called with ids whose activity has just been learned: what is held under the ids themselves is obsolete. */
  readonly onIdsLearned: (ids: readonly string[]) => void;
}

export interface BuiltUpstream {
  readonly upstream: Upstream;
  readonly quota: Quota;
  /** v3's; undefined for v2. */
  readonly tokens: Tokens | undefined;
  readonly gates: Gates;
  /** Has the next caller find out whether other credentials are taken. */
  readonly credentialsReplaced: () => void;
}

/** Builds it, with a line in the log for each thing that an operator should hear of. */
export function buildUpstream(config: Config, { clock, emit, ...parts }: Parts): BuiltUpstream {
  const { constantContact } = config;
  const { api } = constantContact;
  const file = config.quota.stateFile;
  const quotaEvents: QuotaEvents = {
    waited: (team, urgency, seconds) => emit('quota.waited', { team, urgency, seconds }),
    passed: (percent) => {
      const calls = Object.fromEntries(quota.status().teams.map(({ team, calls }) => [team || accountName, calls]));
      emit('quota.passed', { percent, perDay: config.quota.perDay, calls });
    },
    teamSpent: ({ team, calls, part, borrowed }) => emit('quota.team_spent', { team, calls, part, borrowed }),
    unsaved: (reason, code) => emit(`state.${reason}`, { code, file }),
  };
  const stateFile = new StateFile(file, {
    unsaved: quotaEvents.unsaved,
    saved: () => emit('state.writable', { file }),
    idsDropped: (dropped) => emit('ids.dropped', { dropped, file }),
  });
  const quota: Quota = new Quota(clock, config.quota, parts.teams, quotaEvents, parts.redis, stateFile);
  const prober = new Prober(clock);
  const gates = buildGates(config, { clock, emit, refuseWaiting: (problem) => quota.refuseWaiting(problem) });
  const credentialsReplaced = () => {
    prober.forget();
    gates.credentials.probeNow();
    gates.gone.probeNow();
  };
  const tokens = api === 'v3' ? buildTokens(config, { clock, emit, credentialsReplaced, ...parts }) : undefined;
  const dialect: Dialect = tokens
    ? v3(
        tokens,
        new CampaignIds({
          ...{ tokens, clock, notFoundSeconds: config.cache.notFoundSeconds },
          outageAt: () => gates.breaker.openedAt,
          known: buildKnownIds(stateFile, { clock, ...parts }),
        }),
      )
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
      gates,
      prober,
      retryBudget: new RetryBudget(constantContact.retryPercent),
      clock,
      observe: (outcome, seconds, about) => {
        emit('upstream.called', { outcome, seconds });
        if (outcome !== 'ok') emit('upstream.call_failed', { outcome, ...about, seconds });
      },
      onOdd: tellOfOdd(emit),
    },
    { ...constantContact, bulkDeadlineMs: config.exports.patienceSeconds * 1000 },
  );
  return { upstream, quota, tokens, gates, credentialsReplaced };
}

/** Counts odd rows, and tells of the first of each field: where there is one, there are many. */
function tellOfOdd(emit: Emit): (campaign: string, odd: OddRows) => void {
  const told = new Set<OddField>();
  return (campaign, odd) => {
    for (const [field, rows] of odd) {
      emit('upstream.odd_rows', { field, rows });
      if (told.has(field)) continue;
      told.add(field);
      emit('upstream.odd_row', { field, campaign, rows });
    }
  };
}

/**
 * What ids mean is kept in the file, and told to the other instances. Without a key or a client secret it is not told: the id of
 * a client is no secret, and what could be proven with it alone would be kept for good.
 */
function buildKnownIds(
  stateFile: StateFile,
  {
    clock,
    redis,
    secrets,
    keyRing,
    digest,
    onIdsLearned,
  }: Pick<Parts, 'clock' | 'redis' | 'secrets' | 'keyRing' | 'digest' | 'onIdsLearned'>,
): KnownIds {
  const hasProof = keyRing !== undefined || secrets.get('clientSecret') !== undefined;
  const shared = redis && hasProof ? new SharedIds(redis, digest) : undefined;
  const known = new KnownIds(clock, (pairs, isOwn) => {
    stateFile.keepIds(known.kept());
    if (isOwn) shared?.tell(pairs);
    onIdsLearned(pairs.map(([asked]) => asked));
  });
  known.restore(stateFile.storedIds);
  shared?.listen((pairs) => known.learn(pairs, false));
  return known;
}

interface TokenParts extends Omit<Parts, 'teams' | 'digest' | 'onIdsLearned'> {
  readonly credentialsReplaced: () => void;
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
  const { clock, emit, secrets, userAgent, refreshTokens, credentialsReplaced, redis } = parts;
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
    emit('token.not_shared', {});
  }
  const reconcile = async () => {
    const borrow = async (theirs: StoredTokens) =>
      isOurs(theirs) && borrowTokens(tokenFile, theirs, constantContact.timeoutMs * 2);
    if (await shared?.reconcile(read(), borrow)) tokens.reload();
  };
  shared?.listen(() => void reconcile());
  let told: RefreshOutcome['outcome'] | 'missing' = 'renewed';
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
    refresh: (replaces, held) =>
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
        held,
      }),
    onTokens: (values, hasAccessToken) => {
      secrets.learn(values);
      if (!hasAccessToken) return;
      credentialsReplaced();
      if (told === 'refused') emit('token.replaced', {});
      told = 'renewed';
    },
    onOutcome: (result) => {
      const { outcome, reason } = result;
      emit('token.refresh_tried', { outcome });
      const state = outcome === 'failed' && tokens.isMissing ? 'missing' : outcome;
      if (reason === 'redis') void reconcile();
      if (state === 'renewed') emit('token.renewed', {});
      else if (state === told || told === 'refused')
        return; // It has been said.
      else if (state === 'missing') emit('token.missing', { reason, file: tokenFile });
      else if (state === 'failed') emit('token.refresh_failed', { reason, file: tokenFile });
      else emit('token.refused', { reason });
      told = state;
    },
  });
  return tokens;
}
