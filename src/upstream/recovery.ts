/**
 * Probes shut gates while no caller does: Sendgate recovers by itself.
 */
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import type { Finding } from './finding.ts';
import type { Gate } from './gate.ts';
import { type Gates, inOrder } from './gates.ts';

interface Parts {
  readonly clock: Clock;
  readonly gates: Gates;
  /** Makes the probe; resolves with undefined if none can be made. */
  readonly probe: () => Promise<Finding | undefined>;
  /** This instance's index among those that share the quota, from 0, and their number. */
  readonly turn: () => { readonly rank: number; readonly instances: number };
  /** Reports to the other instances that a gate has opened. */
  readonly tellOthers: () => void;
}

/** Interval between attempts at a probe that cannot be made, which cost no call: there is no permit, or no token. */
const attemptAgainMs = 5_000;
/** Timers are limited to 24 days. */
const longestTimerMs = 86_400_000;

/**
 * Instances take turns, so that all of them together probe as often as one: the first probe of an instance is due after as
 * many intervals as its turn says, each further one after as many as there are instances. What opens a gate of one makes the
 * others probe theirs.
 */
export class Recovery {
  readonly #parts: Parts;
  /** Shut gates, each with what cancels its timer. */
  readonly #timers = new Map<Gate, () => void>();
  #isClosed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    for (const gate of inOrder(parts.gates)) gate.onWait((probeInMs) => this.#wait(gate, probeInMs));
  }

  /** Probes gates that are due: another instance was answered. */
  probeDue(): void {
    for (const gate of inOrder(this.#parts.gates)) if (gate.isDue) void this.#probe(gate);
  }

  /** Stops all probes. */
  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#timers.values()) cancel();
  }

  #wait(gate: Gate, probeInMs: number | undefined): void {
    if (probeInMs === undefined) {
      this.#timers.get(gate)?.();
      this.#timers.delete(gate);
      this.#parts.tellOthers();
      return;
    }
    const { rank, instances } = this.#parts.turn();
    const intervals = this.#timers.has(gate) ? instances : rank + 1;
    this.#probeIn(gate, Math.min(probeInMs * intervals, longestTimerMs));
  }

  #probeIn(gate: Gate, ms: number): void {
    const { clock } = this.#parts;
    this.#timers.get(gate)?.();
    if (this.#isClosed) return;
    const at = clock.monotonic() + ms;
    const cancel = clock.after(ms, () => {
      // A timer may end a fraction of a millisecond early.
      if (clock.monotonic() >= at) void this.#probe(gate);
      else this.#probeIn(gate, at - clock.monotonic());
    });
    this.#timers.set(gate, cancel);
  }

  async #probe(gate: Gate): Promise<void> {
    if (this.#isClosed) return;
    const timer = this.#timers.get(gate);
    try {
      await gate.check(this.#parts.probe);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
    // A probe that was made has set the timer anew, or opened the gate.
    if (gate.isShut && this.#timers.get(gate) === timer) this.#probeIn(gate, attemptAgainMs);
  }
}
