/**
 * Constant Contact put together: what the configuration says, behind one small interface.
 */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Logger } from '../operations/log.ts';
import { Problem } from '../problems.ts';
import { Breaker, circuitOpen } from './breaker.ts';
import type { Credentials } from './dialect.ts';
import { Gate } from './gate.ts';
import { quotaExhausted } from './quota/day.ts';
import { Quota, type QuotaEvents } from './quota/quota.ts';
import { RetryBudget } from './retry-budget.ts';
import { Transport } from './transport.ts';
import { type CallObserver, Upstream } from './upstream.ts';
import { v2 } from './v2.ts';

interface Parts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly credentials: Credentials;
  readonly userAgent: string;
  /** Weights of all teams, by name. */
  readonly weights: ReadonlyMap<string, number>;
  readonly onCall: CallObserver;
  readonly onWait: QuotaEvents['waited'];
}

export interface BuiltUpstream {
  readonly upstream: Upstream;
  readonly quota: Quota;
  readonly credentialsGate: Gate;
  readonly dayGate: Gate;
  readonly breaker: Breaker;
}

/** In case the limit was raised in the course of the day. */
const quotaProbeMs = 3_600_000;

/** Builds it, with a line in the log for each thing that an operator should hear of, once each way. */
export function buildUpstream(config: Config, { clock, log, ...parts }: Parts): BuiltUpstream {
  const { constantContact } = config;
  const credentialsGate = new Gate(clock, {
    probeEveryMs: constantContact.credentialsRetrySeconds * 1000,
    problem: () => new Problem('upstream-credentials-refused', { reason: 'gate' }),
    onChange: (shut) => {
      if (shut) log.error('Constant Contact refuses the credentials: replace the API key or the access token');
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
  const quota = new Quota(clock, config.quota, parts.weights, {
    waited: parts.onWait,
    passed: (percent) => log.warn({ percent, perDay: config.quota.perDay }, "part of the day's calls is spent"),
    unsaved: (reason) => log.error({ reason, file: config.quota.stateFile }, "the day's count cannot be kept"),
  });
  const breaker = new Breaker(
    clock,
    { failures: constantContact.breakerFailures, probeEveryMs: constantContact.breakerProbeMs },
    (open) => {
      if (!open) return log.info('Constant Contact answers again');
      log.error('Constant Contact is down: held pages are served, and it is tried now and then');
      quota.refuseWaiting(circuitOpen(constantContact.breakerProbeMs));
    },
  );
  const upstream = new Upstream(
    {
      dialect: v2,
      transport: new Transport({
        baseUrl: constantContact.baseUrl,
        userAgent: parts.userAgent,
        maxResponseBytes: constantContact.maxResponseBytes,
      }),
      quota,
      credentialsGate,
      dayGate,
      breaker,
      retryBudget: new RetryBudget(constantContact.retryPercent),
      credentials: parts.credentials,
      clock,
      observe: parts.onCall,
    },
    constantContact,
  );
  return { upstream, quota, credentialsGate, dayGate, breaker };
}
