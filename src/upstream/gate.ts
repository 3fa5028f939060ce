/**
 * Keeps Sendgate from asking Constant Contact what it has just refused: with bad credentials, with no quota left, or
 * while it is down.
 */
import type { Clock } from '../clock.ts';
import type { Problem } from '../problems.ts';

interface GateOptions {
  /** While shut, one call in this time is let through to see whether things have changed. */
  readonly probeEveryMs: number;
  /** What all others are told. */
  readonly problem: (probeInMs: number) => Problem;
  /** Told once when the gate shuts, and once when it opens. */
  readonly onChange: (shut: boolean) => void;
}

/** Open until told to shut; opens again with the first call that succeeds, or when its time is over. */
export class Gate {
  readonly #clock: Clock;
  readonly #options: GateOptions;
  #shut: { nextProbeAt: number; readonly until: number } | undefined;

  constructor(clock: Clock, options: GateOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get isShut(): boolean {
    if (this.#shut && this.#clock.now() >= this.#shut.until) this.open();
    return this.#shut !== undefined;
  }

  /** Lets a call through, or throws the gate's problem. */
  check(): void {
    if (!this.isShut || !this.#shut) return;
    const now = this.#clock.now();
    if (now < this.#shut.nextProbeAt) throw this.#options.problem(this.#shut.nextProbeAt - now);
    this.#shut.nextProbeAt = now + this.#options.probeEveryMs;
  }

  /** @param until wall time in milliseconds at which the gate opens by itself */
  shut(until = Number.POSITIVE_INFINITY): void {
    const first = this.#shut === undefined;
    this.#shut = { nextProbeAt: this.#clock.now() + this.#options.probeEveryMs, until };
    if (first) this.#options.onChange(true);
  }

  open(): void {
    if (!this.#shut) return;
    this.#shut = undefined;
    this.#options.onChange(false);
  }

  /** What was refused has been replaced: the next call is let through to try it. */
  probeNow(): void {
    if (this.#shut) this.#shut.nextProbeAt = this.#clock.now();
  }
}
