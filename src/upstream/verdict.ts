/**
 * Decides which problem a failed question ends with.
 */
import { type Clock, settlesWithin } from '../clock.ts';
import { askedToWait, Problem, type ProblemCode } from '../problems.ts';
import type { ErrorMeaning } from './adapter.ts';
import { type Finding, findingOf, isRefused } from './finding.ts';
import { type Gates, inOrder } from './gates.ts';
import type { NeutralCall } from './neutral-call.ts';

interface Parts {
  readonly clock: Clock;
  readonly gates: Gates;
  readonly neutral: Pick<NeutralCall, 'find'>;
  /** Shortest time between two neutral calls that check the credentials. */
  readonly credentialsRetryMs: number;
  /** Monotonic time of the last good response to any question. */
  readonly answeredAt: number;
}

/** Longest `Retry-After` for the callers of one question. */
const longestToldMs = 3_600_000;

/**
 * Returns the problem of a failed question. If only this question fails, the problem is lasting: callers can craft odd
 * questions. The neutral call decides whether a refusal or an unnamed limit applies to everyone.
 *
 * @param ms time left for the neutral call
 */
export async function verdictOf(parts: Parts, { problem, waitMs = 0 }: ErrorMeaning, ms: number): Promise<Problem> {
  const { gates } = parts;
  const { code, reason } = problem;
  const finding = findingOf(problem);
  if (finding === 'second') return busyFor(waitMs, reason, false);
  if (finding === 'answered') return code === 'upstream-failed' ? lasting(code, reason) : problem;
  if (finding === 'failed') {
    if (gates.breaker.isOpen || gates.breaker.isSuspect) return problem;
    return waitMs > 0 ? busyFor(waitMs, reason, true) : lasting(code, reason);
  }
  const confirmed = await confirm(parts, finding, ms);
  const shut = inOrder(gates).find((gate) => gate.isShut);
  if (shut) return isRefused(finding) && shut === gates.credentials ? problem : shut.problem;
  const isOwn = confirmed === 'answered';
  // The limit counts as the account's unless the neutral call was answered.
  if (finding === 'limited') return busyFor(waitMs, reason, isOwn);
  return new Problem('upstream-failed', { reason, isLasting: isOwn });
}

/** Returns the neutral call's finding; undefined if it cannot be made in time. */
async function confirm(parts: Parts, finding: Finding, ms: number): Promise<Finding | undefined> {
  const { clock, neutral, credentialsRetryMs: retryMs, answeredAt } = parts;
  const isAnswered = finding !== 'limited' && clock.monotonic() - answeredAt < retryMs;
  const asking = neutral.find(isAnswered ? retryMs * 10 : retryMs);
  return (await settlesWithin(clock, Math.max(0, ms), asking)) ? asking : undefined;
}

const lasting = (code: ProblemCode, reason: string | undefined) => new Problem(code, { reason, isLasting: true });

function busyFor(waitMs: number, reason: string | undefined, isLasting: boolean): Problem {
  const retryAfterSeconds = Math.max(1, Math.ceil(Math.min(waitMs, longestToldMs) / 1000));
  return new Problem('upstream-busy', {
    retryAfterSeconds,
    reason,
    isLasting,
    ...(isLasting && { detail: askedToWait }),
  });
}
