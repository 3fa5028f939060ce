/**
 * Whether the disk can be read and written.
 */
import type { Clock } from '../clock.ts';
import type { Lanes } from './lanes.ts';

/** Time without tries after a failure: a disk that fails is not asked once a request. One that is almost full takes some writes. */
const pauseMs = { read: 5_000, write: 60_000 } as const;

export type Operation = 'read' | 'write';

export interface AvailabilityEvents {
  /** @param code Node's code of the failure, or `slow` for an operation that does not end */
  unavailable(code: string): void;
  available(): void;
}

export class Availability {
  readonly #clock: Clock;
  readonly #events: AvailabilityEvents;
  readonly #lanes: Pick<Lanes, 'hangs'>;
  readonly #failedAt = new Map<Operation, number>();
  #isOver = false;

  /** @param lanes in which the operations run */
  constructor(clock: Clock, lanes: Pick<Lanes, 'hangs'>, events: AvailabilityEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#lanes = lanes;
  }

  get isUp(): boolean {
    return this.#failedAt.size === 0 && !this.#isOver;
  }

  /** Whether to try an operation now. */
  may(operation: Operation): boolean {
    if (this.#isOver) return false;
    const failedAt = this.#failedAt.get(operation);
    return failedAt === undefined || this.#clock.monotonic() - failedAt >= pauseMs[operation];
  }

  failed(operation: Operation, code: string): void {
    const wasUp = this.isUp;
    this.#failedAt.set(operation, this.#clock.monotonic());
    if (wasUp) this.#events.unavailable(code);
  }

  /** Nothing is to be tried any more. */
  end(code: string): void {
    this.#isOver = true;
    this.#events.unavailable(code);
  }

  /** Call it after an operation. While another one hangs, the disk is not in order yet. */
  worked(operation: Operation): void {
    if (this.#lanes.hangs) return;
    if (this.#failedAt.delete(operation) && this.isUp) this.#events.available();
  }
}
