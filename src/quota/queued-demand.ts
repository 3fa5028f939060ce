/**
 * A demand in the queue: it is granted or refused once, at the latest when its time is over or its caller hangs up.
 */
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import type { Demand } from './demand.ts';
import type { Spot } from './fair-queue.ts';
import type { Permit } from './permits.ts';

interface Parts {
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** It leaves the queue by itself; with the signal's reason, or without one when its time is over. */
  readonly onLeave: (queued: QueuedDemand, reason: unknown) => void;
  /** The wait is over, whatever came of it. */
  readonly onOver: (seconds: number) => void;
}

export class QueuedDemand {
  readonly demand: Demand;
  /** Where it is queued. */
  spot: Spot;
  readonly permit: Promise<Permit>;
  readonly #parts: Parts;
  readonly #startedAt: number;
  #resolve: (permit: Permit) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  #cancelDeadline: () => void = () => {};
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

  /** Has it leave `ms` milliseconds from now, instead of when it was to leave before. */
  leaveIn(ms: number): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#parts.clock.after(ms, () => this.#parts.onLeave(this, undefined));
  }

  grant(permit: Permit): void {
    this.#end();
    this.#resolve(permit);
  }

  refuse(reason: unknown): void {
    this.#end();
    this.#reject(reason);
  }

  #end(): void {
    const { clock, signal, onOver } = this.#parts;
    this.#cancelDeadline();
    this.demand.onJoin(undefined);
    signal?.removeEventListener('abort', this.#onAbort);
    onOver((clock.monotonic() - this.#startedAt) / 1000);
  }
}

/** The refusal of a wait that would be too long. */
export function busy(expectedMs: number): Problem {
  return new Problem('upstream-busy', {
    retryAfterSeconds: Math.max(1, Math.ceil(expectedMs / 1000)),
    reason: 'queue',
  });
}
