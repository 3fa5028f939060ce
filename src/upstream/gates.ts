/**
 * The four gates in front of Constant Contact: each refuses all calls while they would fail, and emits an event when it shuts or opens.
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
  /** Shut while the credentials are refused, or those of a user who may not read reports. */
  readonly credentials: Gate;
  /** Its gate is shut while Constant Contact is down. */
  readonly breaker: Breaker;
}

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Ends every wait for a permit: the calls would fail. */
  readonly refuseWaiting: (problem: Problem) => void;
}

/** By precedence: callers get the problem of the first that is shut. */
export const inOrder = ({ gone, day, credentials, breaker }: Gates): readonly Gate[] => [
  gone,
  day,
  credentials,
  breaker.gate,
];

/** For how long an answer can keep all calls waiting, and the soonest that it can have the day probed again. */
const longestPauseMs = 60_000;
const soonestDayProbeMs = 60_000;

/**
 * What one answer says, or its absence: the limits' own answers hold for all, everything else only counts.
 *
 * @param waitMs for how long it asks to wait; 0 where it does not
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

/** In case the limit was raised in the course of the day, or the API not withdrawn after all. */
const hourMs = 3_600_000;

export function buildGates({ constantContact }: Config, { clock, emit, refuseWaiting }: Parts): Gates {
  const { api, credentialsRetrySeconds, breakerFailures, breakerProbeMs } = constantContact;
  const gone: Gate = new Gate(clock, {
    probeEveryMs: hourMs,
    reads: (finding) => (finding === 'gone' ? 'shut' : finding === 'answered' ? 'open' : undefined),
    problem: () => new Problem('upstream-gone', { reason: 'gone', detail: goneDetails[api] }),
    onChange: (shut) => {
      if (!shut) return emit('upstream.back', { api });
      emit('upstream.gone', { api, guide: goneGuides[api] });
      refuseWaiting(gone.problem);
    },
  });
  const day: Gate = new Gate(clock, {
    probeEveryMs: hourMs,
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
    probeEveryMs: credentialsRetrySeconds * 1000,
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
  v2: 'Constant Contact has withdrawn API v2, which Sendgate is set to use. Its operators have to move to v3 (`CONSTANT_CONTACT_API=v3`).',
  v3: 'Constant Contact has withdrawn API v3, which Sendgate is set to use. Its operators have to find out what takes its place.',
};

const goneGuides = { v2: 'docs/first-page-with-v3.md', v3: undefined };
