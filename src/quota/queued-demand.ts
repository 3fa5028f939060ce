/**
 * A queued demand: granted or refused once, at the latest when its time is over or its caller disconnects.
 */
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import type { Demand } from './demand.ts';
import type { Spot } from './fair-queue.ts';
import type { GrantedPermit, Permit } from './permits.ts';

interface Parts {
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** Called when it gives up: with the signal's reason, or undefined when its time is over. */
  readonly onLeave: (queued: QueuedDemand, reason: unknown) => void;
  /** Called when the wait ends, with any outcome. */
  readonly onOver: (seconds: number) => void;
}

export class QueuedDemand {
  readonly demand: Demand;
  /** Its position in the queue. */
  spot: Spot;
  readonly permit: Promise<GrantedPermit>;
  readonly #parts: Parts;
  readonly #startedAt: number;
  #resolve: (permit: GrantedPermit) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  #cancelDeadline: () => void = () => {};
  #stopListening: () => void = () => {};
  readonly #onAbort = () => this.#parts.onLeave(this, this.#parts.signal?.reason);

  constructor(demand: Demand, spot: Spot, parts: Parts) {
    this.demand = demand;
    this.spot = spot;
    this.#parts = parts;
    this.#startedAt = parts.clock.monotonic();
    this.permit = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    parts.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Sets the deadline to `ms` milliseconds from now. */
  leaveIn(ms: number): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#parts.clock.after(ms, () => this.#parts.onLeave(this, undefined));
  }

  /** Calls `listener` when a payer joins, as long as it is queued. */
  onJoin(listener: Parameters<Demand['onJoin']>[0]): void {
    this.#stopListening = this.demand.onJoin(listener);
  }

  grant(permit: Permit): void {
    const { team } = this.demand;
    this.#resolve({ ...permit, team, waitedSeconds: this.#end() });
  }

  refuse(reason: unknown): void {
    this.#end();
    this.#reject(reason);
  }

  /** Returns how long it was queued. */
  #end(): number {
    const { clock, signal, onOver } = this.#parts;
    this.#cancelDeadline();
    this.#stopListening();
    signal?.removeEventListener('abort', this.#onAbort);
    const seconds = (clock.monotonic() - this.#startedAt) / 1000;
    onOver(seconds);
    return seconds;
  }
}

/** The problem for a wait that would be too long. */
export function busy(expectedMs: number): Problem {
  return new Problem('upstream-busy', {
    retryAfterSeconds: Math.max(1, Math.ceil(expectedMs / 1000)),
    reason: 'queue',
  });
}
