/**
 * Detects that the upstream as a whole is down, and reduces the calls to probes.
 */
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import { Gate } from './gate.ts';

export interface BreakerOptions {
  /** Consecutive failures that make the upstream suspect. */
  readonly failures: number;
  /** Shortest interval between probes while the circuit is open. */
  readonly probeEveryMs: number;
}

/**
 * Part of an outage's length after which the next probe is due, and the longest interval: probes that are sent count for the
 * day, and one every five seconds would spend the quota of the day in fourteen hours.
 */
const partOfOutage = 0.1;
const longestIntervalMs = 60_000;

/** The problem that callers get while the circuit is open. */
export function circuitOpen(probeInMs: number): Problem {
  return new Problem('upstream-busy', {
    detail: 'Constant Contact is down, and Sendgate probes it regularly. Wait for `Retry-After` seconds and retry.',
    retryAfterSeconds: Math.max(1, Math.ceil(probeInMs / 1000)),
    reason: 'circuit',
  });
}

/**
 * A circuit breaker. Consecutive failures only make the upstream suspect, since they may all come from one caller's
 * questions: a failed probe then opens the circuit, and an answered one closes it.
 */
export class Breaker {
  /** Shut while the circuit is open. */
  readonly gate: Gate;
  readonly #failures: number;
  #inARow = 0;
  #openedAt = Number.NEGATIVE_INFINITY;

  /** @param onChange called when the circuit opens and when it closes */
  constructor(clock: Clock, { failures, probeEveryMs }: BreakerOptions, onChange: (open: boolean) => void) {
    this.#failures = failures;
    this.gate = new Gate(clock, {
      probeEveryMs: (openForMs) => Math.max(probeEveryMs, Math.min(partOfOutage * openForMs, longestIntervalMs)),
      // A single failed probe is not an outage.
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

  /** Monotonic time when the circuit last opened; earlier failures may be due to that outage. */
  get openedAt(): number {
    return this.#openedAt;
  }

  /** Whether enough consecutive calls have failed for a probe to decide whether the upstream is down. */
  get isSuspect(): boolean {
    return this.#inARow >= this.#failures;
  }

  /** Resets the count after a good response, or any response to a probe. */
  answered(): void {
    this.#inARow = 0;
  }

  failed(): void {
    this.#inARow++;
  }
}
