/**
 * Sums the reports of all workers since start, including those that have ended.
 */
import { type Tallied, Tally } from '../observability/tally.ts';
import type { WorkerReport } from './protocol.ts';

const nothing: WorkerReport = { responses: [], bytes: 0, exportsRunning: 0 };

export class WorkerReports {
  readonly #latest = new Map<number, WorkerReport>();
  readonly #gone = new Tally();

  /** @param worker the worker's number */
  started(worker: number): void {
    this.#latest.set(worker, nothing);
  }

  reported(worker: number, report: WorkerReport): void {
    if (this.#latest.has(worker)) this.#latest.set(worker, report);
  }

  /** Returns the last report of a worker that has ended. */
  ended(worker: number): WorkerReport {
    const last = this.#latest.get(worker) ?? nothing;
    this.#latest.delete(worker);
    this.#gone.include(last.responses);
    return last;
  }

  get responses(): readonly Tallied[] {
    return [...this.#gone.all, ...this.#all.flatMap(({ responses }) => responses)];
  }

  get bytes(): number {
    return this.#all.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get exportsRunning(): number {
    return this.#all.reduce((sum, { exportsRunning }) => sum + exportsRunning, 0);
  }

  /** Workers that listen. */
  get listening(): number {
    return this.#all.filter(({ url }) => url !== undefined).length;
  }

  get #all(): WorkerReport[] {
    return [...this.#latest.values()];
  }
}
