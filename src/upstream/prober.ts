/**
 * Shares probes: calls with a question known to be valid, which show whether a failure is one caller's or everyone's.
 */
import type { Clock } from '../clock.ts';
import type { Finding } from './finding.ts';

/** Runs one probe at a time, and shares its finding. */
export class Prober {
  readonly #clock: Clock;
  #last: { readonly finding: Finding; readonly at: number } | undefined;
  #probing: Promise<Finding | undefined> | undefined;
  #timesForgotten = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The last finding, at any age; undefined if there is none. */
  get last(): Finding | undefined {
    return this.#last?.finding;
  }

  /**
   * Returns the finding of the running probe, of the last one, or of a new one.
   *
   * @param maxAgeMs oldest acceptable finding
   * @param call makes the probe; resolves with undefined if it cannot be made, and never rejects
   */
  find(maxAgeMs: number, call: () => Promise<Finding | undefined>): Promise<Finding | undefined> {
    if (this.#last && this.#clock.monotonic() - this.#last.at < maxAgeMs) return Promise.resolve(this.#last.finding);
    this.#probing ??= this.#probe(call);
    return this.#probing;
  }

  /** Number of times the credentials were replaced: a probe sent with earlier ones says nothing about the current ones. */
  get timesForgotten(): number {
    return this.#timesForgotten;
  }

  /** Discards the last finding: the credentials were replaced. */
  forget(): void {
    this.#timesForgotten++;
    this.#last = undefined;
  }

  async #probe(call: () => Promise<Finding | undefined>): Promise<Finding | undefined> {
    try {
      const finding = await call();
      if (finding) this.#last = { finding, at: this.#clock.monotonic() };
      return finding;
    } finally {
      this.#probing = undefined;
    }
  }
}
