import { ForwardClock } from './clock.ts';

/** A clock on which every wait ends at once, with its time passed. */
export class InstantClock extends ForwardClock {
  /** Waits so far, in milliseconds. */
  readonly waits: number[] = [];

  override now(): number {
    return Math.round(super.now());
  }

  override after(ms: number, run: () => void): () => void {
    this.waits.push(ms);
    this.forward(ms / 1000);
    const timer = setImmediate(run);
    return () => clearImmediate(timer);
  }
}
