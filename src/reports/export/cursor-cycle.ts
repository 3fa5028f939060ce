/**
 * Detects repeating cursors, which would make a walk endless. Keeps one cursor (Brent's algorithm) and detects a cycle within
 * three rounds.
 */
export class CursorCycle {
  #remembered: string | undefined;
  #steps = 0;
  #stepsUntilNext = 1;

  /** Returns whether a cycle closes at this cursor. Call it with each cursor of a walk, in order. */
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
