/**
 * Stops all calls while every call would be refused: bad credentials, a spent quota, or an outage.
 */
import type { Clock } from '../clock.ts';
import type { Problem } from '../problems.ts';
import type { Finding } from './finding.ts';

interface GateOptions {
  /** Returns the interval between probes of a gate that has been shut for this long. */
  readonly probeEveryMs: (shutForMs: number) => number;
  /** How this gate reads a finding; undefined if it is irrelevant. */
  readonly reads: (finding: Finding) => 'shut' | 'open' | undefined;
  /** The problem that callers get while it is shut. */
  readonly problem: (probeInMs: number) => Problem;
  /** Wall time in milliseconds when a gate that shuts now reopens without a probe. Default: never. */
  readonly until?: () => number;
  /** Called when the gate shuts, when its reason changes, and when it opens. */
  readonly onChange: (shut: boolean, finding: Finding | undefined) => void;
}

/** Retry interval after an inconclusive probe: a gate that probes hourly would otherwise lose the hour. */
const probeAgainMs = 60_000;

/**
 * Opens and shuts by probes only: a caller's own failures move nothing.
 *
 * A gate makes no calls: a probe is made when one is due and a caller arrives, or `Recovery` does.
 */
export class Gate {
  readonly #clock: Clock;
  readonly #options: GateOptions;
  /** `since` is monotonic. */
  #shut: { readonly since: number; readonly until: number; readonly finding: Finding | undefined } | undefined;
  /** Monotonic time when the next probe is due while the gate is shut. */
  #probeAt = Number.NEGATIVE_INFINITY;
  #isProbing = false;
  #onWait: (probeInMs: number | undefined) => void = () => {};

  constructor(clock: Clock, options: GateOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get isShut(): boolean {
    if (this.#shut && this.#clock.now() >= this.#shut.until) this.open();
    return this.#shut !== undefined;
  }

  /** Whether the gate is shut and its next probe is due. */
  get isDue(): boolean {
    return this.isShut && this.#isTimeToProbe;
  }

  /**
   * Calls `listener` whenever the time of the next probe changes: with the milliseconds until then, or with undefined when the
   * gate opens.
   */
  onWait(listener: (probeInMs: number | undefined) => void): void {
    this.#onWait = listener;
  }

  /**
   * Returns undefined while the gate is open. While it is shut and a probe is due, the first caller makes the probe and gets
   * a promise that resolves if the probe opens the gate, and rejects with the gate's problem if not.
   *
   * @param probe makes the call; resolves with undefined if none could be made, and the next caller probes
   * @throws Problem of the gate, at once, to all other callers
   */
  check(probe: () => Promise<Finding | undefined>): Promise<void> | undefined {
    if (!this.isShut) return undefined;
    if (this.#isProbing || !this.#isTimeToProbe) throw this.problem;
    return this.#takeProbe(probe);
  }

  async #takeProbe(probe: () => Promise<Finding | undefined>): Promise<void> {
    this.#isProbing = true;
    try {
      const finding = await probe();
      if (finding) {
        this.learn(finding);
        // The probe was inconclusive for this gate.
        if (this.#isTimeToProbe) this.#waitForNext(Math.min(this.#probeEveryMs, probeAgainMs));
      }
    } finally {
      this.#isProbing = false;
    }
    if (this.isShut) throw this.problem;
  }

  /**
   * Shuts or opens on a finding of any probe. An irrelevant finding leaves this gate's probe due. Learning the same finding
   * twice changes nothing.
   *
   * @param probeInMs when the next probe is due, if not after the usual interval
   */
  learn(finding: Finding, probeInMs?: number): void {
    const verdict = this.#options.reads(finding);
    if (verdict === 'open') this.open();
    else if (verdict === 'shut') this.shut(finding, probeInMs);
  }

  shut(finding?: Finding, probeInMs?: number): void {
    const isNews = this.#shut === undefined || this.#shut.finding !== finding;
    const since = this.#shut?.since ?? this.#clock.monotonic();
    this.#shut = { since, until: this.#options.until?.() ?? Number.POSITIVE_INFINITY, finding };
    if (isNews || this.#isTimeToProbe || probeInMs !== undefined) this.#waitForNext(probeInMs);
    if (isNews) this.#options.onChange(true, finding);
  }

  open(): void {
    if (!this.#shut) return;
    this.#shut = undefined;
    this.#onWait(undefined);
    this.#options.onChange(false, undefined);
  }

  /** Makes a probe due at once: what was refused has been replaced. */
  probeNow(): void {
    this.#probeAt = Number.NEGATIVE_INFINITY;
    if (this.#shut) this.#onWait(0);
  }

  get #isTimeToProbe(): boolean {
    return this.#clock.monotonic() >= this.#probeAt;
  }

  get #probeEveryMs(): number {
    const now = this.#clock.monotonic();
    return this.#options.probeEveryMs(now - (this.#shut?.since ?? now));
  }

  #waitForNext(probeInMs = this.#probeEveryMs): void {
    this.#probeAt = this.#clock.monotonic() + probeInMs;
    this.#onWait(probeInMs);
  }

  /** The problem that callers get while it is shut. */
  get problem(): Problem {
    return this.#options.problem(Math.max(0, this.#probeAt - this.#clock.monotonic()));
  }
}
