/**
 * Keeps Sendgate from asking Constant Contact what it refuses to everybody: with bad credentials, with no quota left, or
 * while it is down.
 */
import type { Clock } from '../clock.ts';
import type { Problem } from '../problems.ts';
import type { Finding } from './finding.ts';

interface GateOptions {
  /** While shut, one probe in this time finds out whether things have changed. */
  readonly probeEveryMs: number;
  /** What a finding means for this gate; undefined where it means nothing. */
  readonly reads: (finding: Finding) => 'shut' | 'open' | undefined;
  /** The problem that callers get while it is shut. */
  readonly problem: (probeInMs: number) => Problem;
  /** Wall time in milliseconds at which a gate that shuts now opens by itself; never without it. */
  readonly until?: () => number;
  /** Called once when the gate shuts, again when it is shut for something else, and once when it opens. */
  readonly onChange: (shut: boolean, finding: Finding | undefined) => void;
}

/** After a probe that failed, or met another limit: a gate that is probed once an hour would lose the hour. */
const probeAgainMs = 60_000;

/**
 * Open until a probe says otherwise, and then shut until one does again: what happens to a caller's question moves nothing.
 *
 * It makes no call by itself: a probe is made when somebody asks and it is due.
 */
export class Gate {
  readonly #clock: Clock;
  readonly #options: GateOptions;
  #shut: { readonly until: number; readonly finding: Finding | undefined } | undefined;
  /** Monotonic time from which a probe may be made while the gate is shut. */
  #probeAt = Number.NEGATIVE_INFINITY;
  #isProbing = false;

  constructor(clock: Clock, options: GateOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get isShut(): boolean {
    if (this.#shut && this.#clock.now() >= this.#shut.until) this.open();
    return this.#shut !== undefined;
  }

  /**
   * Undefined while the gate is open. While it is shut and a probe is due, the first caller takes the probe and gets a promise,
   * which resolves when the probe has opened the gate, and rejects with the gate's problem when it has not.
   *
   * @param probe makes the call; resolves with undefined when none could be made, and the next caller takes the probe
   * @throws Problem, the gate's: to all others, at once
   */
  check(probe: () => Promise<Finding | undefined>): Promise<void> | undefined {
    if (!this.isShut) return undefined;
    if (this.#isProbing || !this.#isDue) throw this.problem;
    return this.#takeProbe(probe);
  }

  async #takeProbe(probe: () => Promise<Finding | undefined>): Promise<void> {
    this.#isProbing = true;
    try {
      const finding = await probe();
      if (finding) {
        this.learn(finding);
        // A call was made, and said nothing of this gate.
        if (this.#isDue) this.#waitForNext(Math.min(this.#options.probeEveryMs, probeAgainMs));
      }
    } finally {
      this.#isProbing = false;
    }
    if (this.isShut) throw this.problem;
  }

  /**
   * Shuts or opens as a finding has it, whichever probe found it. What says nothing of this gate leaves its probe due. Learning
   * the same twice changes nothing.
   *
   * @param probeInMs when the next probe may be made, if not in the usual time
   */
  learn(finding: Finding, probeInMs?: number): void {
    const verdict = this.#options.reads(finding);
    if (verdict === 'open') this.open();
    else if (verdict === 'shut') this.shut(finding, probeInMs);
  }

  shut(finding?: Finding, probeInMs?: number): void {
    const isNews = this.#shut === undefined || this.#shut.finding !== finding;
    this.#shut = { until: this.#options.until?.() ?? Number.POSITIVE_INFINITY, finding };
    if (isNews || this.#isDue || probeInMs !== undefined) this.#waitForNext(probeInMs);
    if (isNews) this.#options.onChange(true, finding);
  }

  open(): void {
    if (!this.#shut) return;
    this.#shut = undefined;
    this.#options.onChange(false, undefined);
  }

  /** What was refused has been replaced: the next caller has it probed at once. */
  probeNow(): void {
    this.#probeAt = Number.NEGATIVE_INFINITY;
  }

  get #isDue(): boolean {
    return this.#clock.monotonic() >= this.#probeAt;
  }

  #waitForNext(probeInMs = this.#options.probeEveryMs): void {
    this.#probeAt = this.#clock.monotonic() + probeInMs;
  }

  /** The problem that callers get while it is shut. */
  get problem(): Problem {
    return this.#options.problem(Math.max(0, this.#probeAt - this.#clock.monotonic()));
  }
}
