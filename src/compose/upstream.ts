/**
 * Constant Contact put together: what the configuration says, behind one small interface.
 */
import { unwatchFile, watchFile } from 'node:fs';
import type { Clock } from '../clock.ts';
import { baseUrls, type Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import type { OddField, OddRows } from '../model/rows.ts';
import type { Logger } from '../observability/log.ts';
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
import type { CallObserver } from '../upstream/one-call.ts';
import { Prober } from '../upstream/prober.ts';
import { RetryBudget } from '../upstream/retry-budget.ts';
import { SharedIds } from '../upstream/shared-ids.ts';
import { Transport } from '../upstream/transport.ts';
import { Upstream } from '../upstream/upstream.ts';
import { v2 } from '../upstream/v2.ts';
import { v3 } from '../upstream/v3.ts';

interface Parts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly secrets: Secrets;
  readonly userAgent: string;
  /** All teams, by name. */
  readonly teams: ReadonlyMap<string, TeamShare>;
  readonly onCall: CallObserver;
  readonly onWait: QuotaEvents['waited'];
  /** @param rows of one page in which the field was not what it should be */
  readonly onOddRows: (field: OddField, rows: number) => void;
  readonly refreshTokens: (order: RefreshOrder) => Promise<RefreshOutcome>;
  readonly onRefresh: (outcome: RefreshOutcome) => void;
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
export function buildUpstream(config: Config, { clock, log, ...parts }: Parts): BuiltUpstream {
  const { constantContact } = config;
  const { api } = constantContact;
  const file = config.quota.stateFile;
  const quotaEvents: QuotaEvents = {
    waited: parts.onWait,
    passed: (percent) => {
      const calls = Object.fromEntries(quota.status().teams.map(({ team, calls }) => [team || accountName, calls]));
      log.warn({ event: 'quota.passed', percent, perDay: config.quota.perDay, calls }, `daily quota at ${percent} %`);
    },
    teamSpent: ({ team, calls, part, borrowed }) =>
      log.warn({ event: 'quota.team_spent', team, calls, part, borrowed }, "a team's part of the daily quota is spent"),
    unsaved: (reason, code) => log.error({ event: `state.${reason}`, code, file }, unsavedMessages[reason]),
  };
  const stateFile = new StateFile(file, {
    unsaved: quotaEvents.unsaved,
    saved: () => log.info({ event: 'state.writable', file }, 'state file writable again; all is kept'),
    idsDropped: (dropped) =>
      log.warn(
        { event: 'ids.dropped', dropped, file },
        'ids in the state file are not valid; they will be looked up again',
      ),
  });
  const quota: Quota = new Quota(clock, config.quota, parts.teams, quotaEvents, parts.redis, stateFile);
  const prober = new Prober(clock);
  const gates = buildGates(config, { clock, log, refuseWaiting: (problem) => quota.refuseWaiting(problem) });
  const credentialsReplaced = () => {
    prober.forget();
    gates.credentials.probeNow();
    gates.gone.probeNow();
  };
  const tokens = api === 'v3' ? buildTokens(config, { clock, log, credentialsReplaced, ...parts }) : undefined;
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
      observe: parts.onCall,
      onOdd: tellOfOdd(log, parts.onOddRows),
    },
    { ...constantContact, bulkDeadlineMs: config.exports.patienceSeconds * 1000 },
  );
  return { upstream, quota, tokens, gates, credentialsReplaced };
}

const unsavedMessages = {
  unreadable: "state file unreadable; the day's count begins anew, without the calls that were made before",
  unwritable: "state file not writable; a restart begins to count anew and looks v3's ids up again",
};

/** Counts odd rows, and logs the first of each field: where there is one, there are many. */
function tellOfOdd(log: Logger, count: Parts['onOddRows']): (campaign: string, odd: OddRows) => void {
  const logged = new Set<OddField>();
  return (campaign, odd) => {
    for (const [field, rows] of odd) {
      count(field, rows);
      if (logged.has(field)) continue;
      logged.add(field);
      const consequence = field === 'link' ? 'parameters that are not known do not go up' : 'rows are kept without it';
      log.warn(
        { event: 'upstream.odd_row', field, campaign, rows },
        `a field of Constant Contact's answer is missing or odd; ${consequence}`,
      );
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

interface TokenParts extends Omit<Parts, 'teams' | 'onCall' | 'onWait' | 'onOddRows' | 'digest' | 'onIdsLearned'> {
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
  const { clock, log, secrets, userAgent, refreshTokens, credentialsReplaced, redis } = parts;
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
      if (told === 'refused') log.info('there are new tokens');
      told = 'renewed';
    },
    onOutcome: (result) => {
      parts.onRefresh(result);
      const { outcome, reason } = result;
      const state = outcome === 'failed' && tokens.isMissing ? 'missing' : outcome;
      if (reason === 'redis') void reconcile();
      if (state === 'renewed') log.info('the access token was renewed');
      else if (state === told || told === 'refused')
        return; // It has been said.
      else if (state === 'missing') {
        log.error(
          { event: 'token.missing', reason, file: tokenFile },
          'the access token could not be renewed and none is left: calls fail until it is, which is tried again and again',
        );
      } else if (state === 'failed') {
        log.warn({ reason, file: tokenFile }, 'the access token could not be renewed: it is tried again');
      } else {
        log.error({ reason }, 'Constant Contact refuses the refresh token: run `npm run authorize`');
      }
      told = state;
    },
  });
  return tokens;
}
