/**
 * Builds the configured access to Constant Contact behind one small interface.
 */
import type { Clock } from '../clock.ts';
import { type OutboundProxies, proxyFor } from '../config/outbound-proxy.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { baseUrls } from '../config/sections/constant-contact.ts';
import type { Emit } from '../events.ts';
import type { PageQuery } from '../model/page-query.ts';
import { reportOf } from '../model/resource.ts';
import type { OddField, OddRows } from '../model/rows.ts';
import { accountName } from '../quota/day-shares.ts';
import type { Quota } from '../quota/quota.ts';
import type { Digest } from '../redis/digests.ts';
import type { Redis } from '../redis/redis.ts';
import type { KeyRing } from '../storage/key-ring.ts';
import type { StateFile } from '../storage/state-file.ts';
import { answerTimeOf } from '../upstream/answer-time.ts';
import type { Failure, ObservedCall } from '../upstream/call.ts';
import { CallLoop } from '../upstream/call-loop.ts';
import { apiKeyCredentials, bearerCredentials } from '../upstream/credentials.ts';
import { buildGates, type Gates } from '../upstream/gates.ts';
import { oneIdEach, V3IdLookup } from '../upstream/id-lookup.ts';
import { idsPart } from '../upstream/kept-ids.ts';
import { KnownIds } from '../upstream/known-ids.ts';
import { NeutralCall } from '../upstream/neutral-call.ts';
import type { RefreshOrder, RefreshOutcome } from '../upstream/oauth/refresh.ts';
import type { Tokens } from '../upstream/oauth/tokens.ts';
import { Prober } from '../upstream/prober.ts';
import { Recovery } from '../upstream/recovery.ts';
import { RetryBudget } from '../upstream/retry-budget.ts';
import { SharedIds } from '../upstream/shared-ids.ts';
import { Transport } from '../upstream/transport.ts';
import { Upstream } from '../upstream/upstream.ts';
import { v2 } from '../upstream/v2.ts';
import { v3 } from '../upstream/v3.ts';
import { logOfProxy } from './outbound-proxy.ts';
import { buildQuota } from './quota.ts';
import { warnOfClock } from './start-checks.ts';
import { buildTokens } from './tokens.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly secrets: Secrets;
  readonly proxies: OutboundProxies;
  readonly userAgent: string;
  readonly refreshTokens: (order: RefreshOrder) => Promise<RefreshOutcome>;
  /** Undefined for a single instance. */
  readonly redis: Redis | undefined;
  /** Keeps the day's count and resolved ids. */
  readonly stateFile: StateFile;
  /** Keys that encrypt values in Redis, if configured. */
  readonly keyRing: KeyRing | undefined;
  /** Keyed with a secret common to all instances. */
  readonly digest: Digest;
  /** Called with ids just resolved to an activity, which invalidates pages cached under the ids themselves. */
  readonly onIdsLearned: (ids: readonly string[]) => void;
}

export interface BuiltUpstream {
  readonly upstream: Upstream;
  readonly quota: Quota;
  /** v3's tokens; undefined for v2. */
  readonly tokens: Tokens | undefined;
  readonly gates: Gates;
  /** Whether Constant Contact has answered since the start. */
  readonly isTested: () => boolean;
  /** Whether calls have failed since the start, and none was answered. */
  readonly isUnanswered: () => boolean;
  /** Probes what stops calls, without a caller. */
  readonly recovery: Pick<Recovery, 'close'>;
  /** Call it with new credentials: if the earlier ones were refused, a probe finds at once whether these are accepted. */
  readonly credentialsReplaced: () => void;
  reconfigure(config: Config): void;
}

export function buildUpstream(config: Config, parts: Parts): BuiltUpstream {
  const { clock, emit, secrets, userAgent, redis } = parts;
  const { constantContact, exports } = config;
  let { notFoundSeconds } = config.cache;
  const { api, timeoutMs, maxResponseBytes } = constantContact;
  const baseUrl = constantContact.baseUrl || baseUrls[api];
  const proxyLog = logOfProxy(config, parts.proxies, emit);
  const { quota, reconfigure: reconfigureQuota } = buildQuota(config, parts);
  const prober = new Prober(clock);
  const gates = buildGates(config, { clock, emit, refuseWaiting: (problem) => quota.refuseWaiting(problem) });
  const credentialsReplaced = () => {
    prober.forget();
    gates.credentials.probeNow();
    gates.gone.probeNow();
  };
  const tokens = api === 'v3' ? buildTokens(config, { ...parts, proxyLog, credentialsReplaced }) : undefined;
  const idLookup = tokens
    ? new V3IdLookup({
        ...{ clock, known: buildKnownIds(parts) },
        notFoundSeconds: () => notFoundSeconds,
        outageAt: () => gates.breaker.openedAt,
      })
    : oneIdEach;
  const adapter = tokens ? v3 : v2;
  let isTested = false;
  let hasFailed = false;
  const transport = new Transport({
    ...{ baseUrl, userAgent, maxResponseBytes, timeoutMs },
    proxy: proxyFor(baseUrl, parts.proxies),
    onReply: (reply, tookMs) => {
      if (isTested) return;
      isTested = true;
      const now = clock.now();
      warnOfClock(answerTimeOf(reply, now - tookMs, now), emit);
    },
  });
  const callParts = {
    ...{ adapter, transport, quota, gates, prober, clock },
    credentials: tokens
      ? bearerCredentials(tokens)
      : apiKeyCredentials({
          apiKey: () => secrets.get('apiKey') ?? '',
          accessToken: () => secrets.get('accessToken'),
        }),
    observe: ({ team, ...call }: ObservedCall, about: Failure) => {
      emit('upstream.called', { ...call, team: team || accountName });
      const { report, outcome, seconds } = call;
      if (about.proxy !== undefined) proxyLog.failed(about.code ?? '');
      else if (outcome === 'ok') proxyLog.worked();
      if (outcome === 'ok') return;
      hasFailed = true;
      emit('upstream.call_failed', { report, outcome, ...about, seconds });
    },
  };
  const neutral = new NeutralCall(callParts, constantContact);
  const recovery = buildRecovery({ clock, gates, neutral, redis });
  const calls = new CallLoop(
    { ...callParts, neutral, retryBudget: new RetryBudget(constantContact.retryPercent) },
    { ...constantContact, bulkDeadlineMs: exports.patienceSeconds * 1000 },
  );
  const upstream = new Upstream({ clock, adapter, idLookup, calls, onOdd: logOfOddRows(emit) });
  const reconfigure = (present: Config) => {
    reconfigureQuota(present);
    notFoundSeconds = present.cache.notFoundSeconds;
  };
  return {
    ...{ upstream, quota, tokens, gates, recovery, credentialsReplaced, reconfigure },
    isTested: () => isTested,
    isUnanswered: () => hasFailed && !isTested,
  };
}

interface RecoveryParts extends Pick<Parts, 'clock' | 'redis'> {
  readonly gates: Gates;
  readonly neutral: NeutralCall;
}

/** Kind of the message that a gate of an instance has opened. */
const openedKind = 'opened';

function buildRecovery({ clock, gates, neutral, redis }: RecoveryParts): Recovery {
  const recovery = new Recovery({
    ...{ clock, gates },
    probe: () => neutral.find(0),
    turn: () => ({ rank: redis?.rank ?? 0, instances: redis?.instances ?? 1 }),
    tellOthers: () => redis?.publish(openedKind),
  });
  redis?.on(openedKind, () => recovery.probeDue());
  return recovery;
}

/** Counts odd rows and logs the first of each field: they tend to come in thousands. */
function logOfOddRows(emit: Emit): (query: PageQuery, odd: OddRows) => void {
  const logged = new Set<OddField>();
  return ({ resource, campaign }, odd) => {
    for (const [field, rows] of odd) {
      emit('upstream.odd_rows', { field, rows });
      if (logged.has(field)) continue;
      logged.add(field);
      emit('upstream.odd_row', { report: reportOf(resource), field, campaign, rows });
    }
  };
}

/**
 * Keeps resolved ids in the state file and publishes them to other instances. Does not publish them without an encryption key or
 * a client secret: the client id is public, so anyone could forge entries that instances then keep for good.
 */
function buildKnownIds({ clock, emit, redis, secrets, keyRing, digest, stateFile, onIdsLearned }: Parts): KnownIds {
  const kept = stateFile.open(idsPart((dropped) => emit('ids.dropped', { dropped, file: stateFile.path })));
  const hasProof = keyRing !== undefined || secrets.get('clientSecret') !== undefined;
  const shared = redis && hasProof ? new SharedIds(redis, digest) : undefined;
  const known = new KnownIds(clock, (pairs, isOwn, all) => {
    void kept.keep(all);
    if (isOwn) shared?.tell(pairs);
    onIdsLearned(pairs.map(([asked]) => asked));
  });
  known.restore(kept.stored ?? []);
  shared?.listen((pairs) => known.learn(pairs, false));
  return known;
}
