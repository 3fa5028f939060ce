/**
 * Keeps Sendgate from asking Constant Contact what it refuses to everybody: with bad credentials, with no quota left, or
 * while it is down.
 */
import type { Clock } from '../clock.ts';
import type { Problem } from '../problems.ts';
import type { Finding } from './prober.ts';

interface GateOptions {
  /** While shut, one probe in this time finds out whether things have changed. */
  readonly probeEveryMs: number;
  /** What a finding means for this gate; undefined where it means nothing. */
  readonly reads: (finding: Finding) => 'shut' | 'open' | undefined;
  /** What callers are told while it is shut. */
  readonly problem: (probeInMs: number) => Problem;
  /** Wall time in milliseconds at which a gate that shuts now opens by itself; never without it. */
  readonly until?: () => number;
  /** Told once when the gate shuts, and once when it opens. */
  readonly onChange: (shut: boolean) => void;
}

/**
 * Open until a probe says otherwise, and then shut until one does again: what happens to a caller's question moves nothing.
 *
 * It makes no call by itself: a probe is made when somebody asks and it is due.
 */
export class Gate {
  readonly #clock: Clock;
  readonly #options: GateOptions;
  #shut: { readonly until: number } | undefined;
  /** Monotonic time from which a probe may be made while the gate is shut. */
  #probeAt = Number.NEGATIVE_INFINITY;
  #judging = 0;

  constructor(clock: Clock, options: GateOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get isShut(): boolean {
    if (this.#shut && this.#clock.now() >= this.#shut.until) this.open();
    return this.#shut !== undefined;
  }

  /**
   * Undefined while the gate is open. While it is shut, the first to come when a probe is due gets a promise, which resolves
   * when the probe has opened the gate, and rejects with the gate's problem when it has not.
   *
   * @throws Problem, the gate's: to all others, at once
   */
  check(probe: () => Promise<Finding | undefined>): Promise<void> | undefined {
    if (!this.isShut) return undefined;
    if (this.#judging > 0 || this.#clock.monotonic() < this.#probeAt) throw this.#problem();
    return this.judge(probe).then(() => {
      if (this.isShut) throw this.#problem();
    });
  }

  /** Shuts or opens as a probe has found. A probe that could not be made (undefined) leaves the next one due. */
  async judge(probe: () => Promise<Finding | undefined>): Promise<Finding | undefined> {
    this.#judging++;
    try {
      const finding = await probe();
      const verdict = finding && this.#options.reads(finding);
      if (verdict === 'open') this.open();
      else if (verdict === 'shut') this.shut();
      else if (finding) this.#waitForNext();
      return finding;
    } finally {
      this.#judging--;
    }
  }

  shut(): void {
    const isNews = this.#shut === undefined;
    this.#shut = { until: this.#options.until?.() ?? Number.POSITIVE_INFINITY };
    this.#waitForNext();
    if (isNews) this.#options.onChange(true);
  }

  open(): void {
    if (!this.#shut) return;
    this.#shut = undefined;
    this.#options.onChange(false);
  }

  /** What was refused has been replaced: the next caller has it probed at once. */
  probeNow(): void {
    this.#probeAt = Number.NEGATIVE_INFINITY;
  }

  #waitForNext(): void {
    this.#probeAt = this.#clock.monotonic() + this.#options.probeEveryMs;
  }

  #problem(): Problem {
    return this.#options.problem(Math.max(0, this.#probeAt - this.#clock.monotonic()));
  }
}
