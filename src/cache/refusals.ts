/**
 * Remembers refusals of the upstream for a while, so that the same question is not sent again at once.
 */
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { Problem, remembered } from '../problems.ts';

/** Codes that are remembered. */
export type RefusalCode = z.output<typeof refusalCode>;
export const refusalCode = z.enum([
  ...(['campaign-not-found', 'invalid-cursor'] as const),
  ...(['upstream-failed', 'upstream-busy', 'upstream-timeout'] as const),
]);

export const isRefusalCode = (text: string): text is RefusalCode => refusalCode.safeParse(text).success;

/** Whether the upstream failed on this question, without a statement about the campaign or the cursor. */
export const isFailure = (code: RefusalCode) => code !== 'campaign-not-found' && code !== 'invalid-cursor';

/** Times in milliseconds of the monotonic clock. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly code: RefusalCode;
  /** For the log. */
  readonly reason?: string | undefined;
  readonly at: number;
  /** When callers may retry (`Retry-After`). */
  readonly until: number;
  /** Seconds that Constant Contact asked to wait, if it did. */
  readonly waitSeconds?: number | undefined;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #outageAt: () => number;
  #forMs: number;

  /** @param outageAt monotonic time of the last outage; failures from before it are forgotten */
  constructor(clock: Clock, notFoundSeconds: number, outageAt: () => number = () => Number.NEGATIVE_INFINITY) {
    this.#clock = clock;
    this.#outageAt = outageAt;
    this.#forMs = notFoundSeconds * 1000;
  }

  /** How long a refusal is remembered, in milliseconds. */
  get forMs(): number {
    return this.#forMs;
  }

  set notFoundSeconds(seconds: number) {
    this.#forMs = seconds * 1000;
  }

  /** Returns the refusal to remember for a problem; undefined if the next try may succeed. */
  of({ code, reason, isLasting, retryAfterSeconds: waitSeconds }: Problem): Refusal | undefined {
    if (!isRefusalCode(code) || (isFailure(code) && !isLasting)) return undefined;
    const at = this.#clock.monotonic();
    const until = at + Math.max(this.forMs, (waitSeconds ?? 0) * 1000);
    return { kind: 'refusal', code, reason, at, until, waitSeconds };
  }

  /** Whether an outage, not the question, may have caused a remembered failure. */
  mayHavePassed({ code, at }: Refusal): boolean {
    return isFailure(code) && at <= this.#outageAt();
  }

  problemOf({ code, until, reason }: Refusal): Problem {
    return remembered(code, until - this.#clock.monotonic(), reason);
  }
}

/** Problem for an export, which retries remembered failures: it waits only as long as Constant Contact asked. */
export const problemForWalk = ({ code, waitSeconds }: Refusal) => new Problem(code, { retryAfterSeconds: waitSeconds });

/**
 * How long to serve the cached page after a failure before the next try: `minFreshSeconds`, or less if no call was made
 * (queue full, circuit open).
 */
export function pauseMs({ code, reason, isLasting, retryAfterSeconds = 1 }: Problem, minFreshSeconds: number): number {
  const wasAsked = code !== 'upstream-busy' || reason === 'throttled' || isLasting;
  return (wasAsked ? minFreshSeconds : Math.min(retryAfterSeconds, minFreshSeconds)) * 1000;
}
