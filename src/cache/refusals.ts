/**
 * What the upstream said no to is remembered for a while, so that it is not asked again at once.
 */
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { Problem, remembered } from '../problems.ts';

/** What is remembered of a question that cannot be answered. */
export type RefusalCode = z.output<typeof refusalCode>;
const refusalCode = z.enum([
  ...(['campaign-not-found', 'invalid-cursor'] as const),
  ...(['upstream-failed', 'upstream-busy', 'upstream-timeout'] as const),
]);

export const isRefusalCode = (text: string): text is RefusalCode => refusalCode.safeParse(text).success;

/** Whether it says nothing of the campaign or the cursor: the upstream failed with this one question. */
export const isFailure = (code: RefusalCode) => code !== 'campaign-not-found' && code !== 'invalid-cursor';

/** Times in milliseconds of the monotonic clock. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly code: RefusalCode;
  /** For the log. */
  readonly reason?: string | undefined;
  readonly at: number;
  /** When callers are told to retry. */
  readonly until: number;
  /** How long Constant Contact asks to wait, where it does. */
  readonly waitSeconds?: number | undefined;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #outageAt: () => number;
  /** How long one is remembered, in milliseconds. */
  readonly forMs: number;

  /** @param outageAt monotonic time of the last outage: failures from before it are not remembered any more */
  constructor(clock: Clock, notFoundSeconds: number, outageAt: () => number = () => Number.NEGATIVE_INFINITY) {
    this.#clock = clock;
    this.#outageAt = outageAt;
    this.forMs = notFoundSeconds * 1000;
  }

  /** What to remember of a problem; undefined where the same question may be answered the next time. */
  of({ code, reason, isLasting, retryAfterSeconds: waitSeconds }: Problem): Refusal | undefined {
    if (!isRefusalCode(code) || (isFailure(code) && !isLasting)) return undefined;
    const at = this.#clock.monotonic();
    const until = at + Math.max(this.forMs, (waitSeconds ?? 0) * 1000);
    return { kind: 'refusal', code, reason, at, until, waitSeconds };
  }

  /** Whether a remembered failure may have been part of an outage, and not of its question. */
  mayHavePassed({ code, at }: Refusal): boolean {
    return isFailure(code) && at <= this.#outageAt();
  }

  problemOf({ code, until, reason }: Refusal): Problem {
    return remembered(code, until - this.#clock.monotonic(), reason);
  }
}

/** For a walk, which retries whatever is remembered: it waits no longer than Constant Contact asks. */
export const problemForWalk = ({ code, waitSeconds }: Refusal) => new Problem(code, { retryAfterSeconds: waitSeconds });

/**
 * How long the upstream is left alone after a failure, where what is held is answered meanwhile: `minFreshSeconds`, or less where
 * the upstream has not been asked, as while the queue is full or the circuit open.
 */
export function pauseMs({ code, reason, isLasting, retryAfterSeconds = 1 }: Problem, minFreshSeconds: number): number {
  const wasAsked = code !== 'upstream-busy' || reason === 'throttled' || isLasting;
  return (wasAsked ? minFreshSeconds : Math.min(retryAfterSeconds, minFreshSeconds)) * 1000;
}
