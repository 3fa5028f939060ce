/**
 * Builds the four gates in front of Constant Contact. Each stops all calls while they would fail, and emits an event when it
 * shuts or opens.
 */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';
import { Problem } from '../problems.ts';
import { endOfDay, quotaExhausted } from '../quota/day.ts';
import type { Quota } from '../quota/quota.ts';
import { Breaker } from './breaker.ts';
import { type Finding, isRefused } from './finding.ts';
import { Gate } from './gate.ts';

export interface Gates {
  /** Shut while the API is withdrawn. */
  readonly gone: Gate;
  /** Shut while the day's quota is spent. */
  readonly day: Gate;
  /** Shut while the credentials are refused or their user may not read reports. */
  readonly credentials: Gate;
  /** Its gate is shut while Constant Contact is down. */
  readonly breaker: Breaker;
}

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Refuses all queued demands: their calls would fail. */
  readonly refuseWaiting: (problem: Problem) => void;
}

/** Lists the gates by precedence: callers get the problem of the first shut one. */
export const inOrder = ({ gone, day, credentials, breaker }: Gates): readonly Gate[] => [
  gone,
  day,
  credentials,
  breaker.gate,
];

/** Longest pause of all calls that a response can request, and soonest next probe of the day's limit. */
const longestPauseMs = 60_000;
const soonestDayProbeMs = 60_000;

/**
 * Learns from one response or its absence: limits apply to all calls, everything else only counts.
 *
 * @param waitMs the response's `Retry-After`; 0 without one
 */
export function learnFromAnswer(
  { gates, quota }: { readonly gates: Gates; readonly quota: Pick<Quota, 'complain'> },
  finding: Finding,
  waitMs: number,
): void {
  if (finding === 'failed') gates.breaker.failed();
  if (finding === 'second') quota.complain(Math.min(waitMs, longestPauseMs));
  if (finding === 'day') gates.day.learn(finding, waitMs > 0 ? Math.max(waitMs, soonestDayProbeMs) : undefined);
}

/** Probe interval, in case the limit is raised during the day or the API is not withdrawn after all. */
const hourMs = 3_600_000;

export function buildGates({ constantContact }: Config, { clock, emit, refuseWaiting }: Parts): Gates {
  const { api, credentialsRetrySeconds, breakerFailures, breakerProbeMs } = constantContact;
  const gone: Gate = new Gate(clock, {
    probeEveryMs: () => hourMs,
    reads: (finding) => (finding === 'gone' ? 'shut' : finding === 'answered' ? 'open' : undefined),
    problem: () => new Problem('upstream-gone', { reason: 'gone', detail: goneDetails[api] }),
    onChange: (shut) => {
      if (!shut) return emit('upstream.back', { api });
      emit('upstream.gone', { api, guide: goneGuides[api] });
      refuseWaiting(gone.problem);
    },
  });
  const day: Gate = new Gate(clock, {
    probeEveryMs: () => hourMs,
    reads: (finding) => (finding === 'day' ? 'shut' : finding === 'answered' ? 'open' : undefined),
    until: () => endOfDay(clock.now()),
    problem: () => quotaExhausted(clock.now()),
    onChange: (shut) => {
      if (!shut) return emit('upstream.quota_available', {});
      emit('upstream.quota_spent', {});
      refuseWaiting(day.problem);
    },
  });
  const credentials: Gate = new Gate(clock, {
    probeEveryMs: () => credentialsRetrySeconds * 1000,
    reads: (finding) => (isRefused(finding) ? 'shut' : finding === 'answered' ? 'open' : undefined),
    problem: () => new Problem('upstream-credentials-refused', { reason: 'gate' }),
    onChange: (shut, finding) => {
      if (!shut) return emit('upstream.credentials_accepted', {});
      if (finding === 'unprivileged') emit('upstream.access_denied', { privilege: 'ui:campaign:metrics' });
      else emit('upstream.credentials_refused', { api });
      refuseWaiting(credentials.problem);
    },
  });
  const breaker: Breaker = new Breaker(clock, { failures: breakerFailures, probeEveryMs: breakerProbeMs }, (isOpen) => {
    if (!isOpen) return emit('upstream.up', {});
    emit('upstream.down', {});
    refuseWaiting(breaker.gate.problem);
  });
  return { gone, day, credentials, breaker };
}

const goneDetails = {
  v2: 'Constant Contact has withdrawn API v2, which this Sendgate uses. Its operators must switch to v3 (`CONSTANT_CONTACT_API=v3`).',
  v3: 'Constant Contact has withdrawn API v3, which this Sendgate uses. Its operators must find out what replaces it.',
};

const goneGuides = { v2: 'docs/first-page-with-v3.md', v3: undefined };
