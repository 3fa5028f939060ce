/**
 * A clock for simulations.
 */
import type { Clock } from '../src/clock.ts';

/** Time passes from one event to the next. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #heap: { at: number; run: (() => void) | undefined }[] = [];

  constructor(startMs: number) {
    this.#now = startMs;
  }

  now = () => this.#now;
  monotonic = () => this.#now;

  after(ms: number, run: () => void): () => void {
    const event = { at: this.#now + Math.max(0, ms), run: run as (() => void) | undefined };
    let at = this.#heap.push(event) - 1;
    for (let up = (at - 1) >> 1; at > 0 && this.#at(up) > event.at; up = (at - 1) >> 1) at = this.#swap(at, up);
    return () => {
      event.run = undefined;
    };
  }

  async runUntil(end: number): Promise<void> {
    for (;;) {
      const first = this.#heap[0];
      if (!first || first.at > end) break;
      this.#pop();
      if (!first.run) continue;
      this.#now = first.at;
      first.run();
      await new Promise(setImmediate);
    }
    this.#now = end;
  }

  #at = (index: number) => this.#heap[index]?.at ?? Number.POSITIVE_INFINITY;

  #swap(a: number, b: number): number {
    const [x, y] = [this.#heap[a], this.#heap[b]];
    if (x && y) [this.#heap[a], this.#heap[b]] = [y, x];
    return b;
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (!last || this.#heap.length === 0) return;
    this.#heap[0] = last;
    for (let at = 0; ; ) {
      const child = this.#at(2 * at + 1) <= this.#at(2 * at + 2) ? 2 * at + 1 : 2 * at + 2;
      if (this.#at(child) >= this.#at(at)) return;
      at = this.#swap(at, child);
    }
  }
}
