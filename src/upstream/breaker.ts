/**
 * Notices that the upstream as a whole is down, so that it is asked less and not more.
 */
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import { Gate } from './gate.ts';

export interface BreakerOptions {
  /** Calls in a row that have to fail. */
  readonly failures: number;
  /** While open, one call in this time tries whether it is over. */
  readonly probeEveryMs: number;
}

/** What callers are told while the circuit is open. */
export function circuitOpen(probeInMs: number): Problem {
  return new Problem('upstream-busy', {
    detail: 'Constant Contact is down. It is tried again and again; wait as long as `Retry-After` says.',
    retryAfterSeconds: Math.max(1, Math.ceil(probeInMs / 1000)),
    reason: 'circuit',
  });
}

/** A circuit breaker: closed, open, and half open for one probe at a time. */
export class Breaker {
  readonly #failures: number;
  readonly #gate: Gate;
  #inARow = 0;

  /** @param onChange told once when the circuit opens, and once when it closes */
  constructor(clock: Clock, { failures, probeEveryMs }: BreakerOptions, onChange: (open: boolean) => void) {
    this.#failures = failures;
    this.#gate = new Gate(clock, {
      probeEveryMs,
      problem: circuitOpen,
      onChange,
    });
  }

  get isOpen(): boolean {
    return this.#gate.isShut;
  }

  /** Lets a call through, or throws `upstream-busy`. */
  check(): void {
    this.#gate.check();
  }

  /** An answer came, if only to say no: the upstream works. */
  succeeded(): void {
    this.#inARow = 0;
    this.#gate.open();
  }

  failed(): void {
    this.#inARow++;
    if (this.#inARow >= this.#failures) this.#gate.shut();
  }
}
