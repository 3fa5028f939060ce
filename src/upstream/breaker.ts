/**
 * Notices that the upstream as a whole may be down, so that it is asked less and not more.
 */
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import { Gate } from './gate.ts';

export interface BreakerOptions {
  /** Calls in a row that have to fail. */
  readonly failures: number;
  /** While open, one probe in this time finds out whether it is over. */
  readonly probeEveryMs: number;
}

/** The problem that callers get while the circuit is open. */
export function circuitOpen(probeInMs: number): Problem {
  return new Problem('upstream-busy', {
    detail: 'Constant Contact is down. It is tried again and again; wait as long as `Retry-After` says.',
    retryAfterSeconds: Math.max(1, Math.ceil(probeInMs / 1000)),
    reason: 'circuit',
  });
}

/**
 * A circuit breaker. Failures in a row only make the upstream suspect, since they may all be of one caller's questions:
 * a probe that fails too opens the circuit, and one that is answered closes it.
 */
export class Breaker {
  /** Shut while the circuit is open. */
  readonly gate: Gate;
  readonly #failures: number;
  #inARow = 0;
  #openedAt = Number.NEGATIVE_INFINITY;

  /** @param onChange called once when the circuit opens, and once when it closes */
  constructor(clock: Clock, { failures, probeEveryMs }: BreakerOptions, onChange: (open: boolean) => void) {
    this.#failures = failures;
    this.gate = new Gate(clock, {
      probeEveryMs,
      // A single probe that fails is no outage.
      reads: (finding) => (finding !== 'failed' ? 'open' : this.isSuspect ? 'shut' : undefined),
      problem: circuitOpen,
      onChange: (open) => {
        if (open) this.#openedAt = clock.monotonic();
        onChange(open);
      },
    });
  }

  get isOpen(): boolean {
    return this.gate.isShut;
  }

  /** Monotonic time at which the circuit was opened last: what failed before may have failed for that. */
  get openedAt(): number {
    return this.#openedAt;
  }

  /** Whether enough calls have failed in a row for a probe to decide whether the upstream is down. */
  get isSuspect(): boolean {
    return this.#inARow >= this.#failures;
  }

  /** A question was answered well, or a probe at all. */
  answered(): void {
    this.#inARow = 0;
  }

  failed(): void {
    this.#inARow++;
  }
}
