/**
 * Asks Constant Contact a question that is known to be good: whether a failure is the caller's question's own, or everybody's.
 */
import type { Clock } from '../clock.ts';
import type { Finding } from './finding.ts';

/** One probe at a time, for all who want to know what it finds. */
export class Prober {
  readonly #clock: Clock;
  #last: { readonly finding: Finding; readonly at: number } | undefined;
  #probing: Promise<Finding | undefined> | undefined;
  #timesForgotten = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was found last, however long ago; undefined where nothing was. */
  get last(): Finding | undefined {
    return this.#last?.finding;
  }

  /**
   * What a probe finds: the one that runs, or the last one.
   *
   * @param maxAgeMs how old a finding will do; otherwise a probe is made
   * @param call makes it; resolves with undefined when it cannot be made, and never rejects
   */
  find(maxAgeMs: number, call: () => Promise<Finding | undefined>): Promise<Finding | undefined> {
    if (this.#last && this.#clock.monotonic() - this.#last.at < maxAgeMs) return Promise.resolve(this.#last.finding);
    this.#probing ??= this.#probe(call);
    return this.#probing;
  }

  /** How often the credentials have been replaced: a probe that was sent with others says nothing of the present ones. */
  get timesForgotten(): number {
    return this.#timesForgotten;
  }

  /** The credentials have been replaced: what was found with the old ones counts no more. */
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
