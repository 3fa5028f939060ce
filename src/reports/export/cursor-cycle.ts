/**
 * Notices cursors that repeat, which would make a walk endless. It remembers one cursor (Brent's algorithm), and notices within
 * three rounds of the cycle.
 */
export class CursorCycle {
  #remembered: string | undefined;
  #steps = 0;
  #stepsUntilNext = 1;

  /** Whether a cycle closes at this cursor. To be called with each cursor of a walk, in order. */
  closesAt(cursor: string): boolean {
    if (cursor === this.#remembered) return true;
    if (++this.#steps === this.#stepsUntilNext) {
      this.#remembered = cursor;
      this.#steps = 0;
      this.#stepsUntilNext *= 2;
    }
    return false;
  }
}
