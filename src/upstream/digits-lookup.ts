/**
 * Looks v2's digits up in v3, many per call.
 */
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import { type Batch, Batches } from './batches.ts';
import type { Asking } from './call-loop.ts';
import { isOfPath } from './error-meaning.ts';
import type { KnownIds } from './known-ids.ts';
import { activitiesOfDigits, maxXrefs } from './v3-ids.ts';

interface Parts {
  readonly known: KnownIds;
  readonly clock: Clock;
  readonly notFoundSeconds: number;
}

export class DigitsLookup {
  readonly #parts: Parts;
  readonly #batches: Batches<void>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#batches = new Batches(parts.clock, maxXrefs, (batch, asking) => this.#askFor(batch.ids, batch, asking));
  }

  /** Looks an id up; the result is in `known`. @throws Problem with any upstream code; not if the id is unknown */
  lookUp(id: string, asking: Asking): Promise<void> {
    return this.#batches.ask(id, asking);
  }

  async #askFor(ids: ReadonlySet<string>, batch: Batch, asking: Asking): Promise<void> {
    const { known } = this.#parts;
    const prepare = () => {
      batch.close();
      return activitiesOfDigits(ids);
    };
    try {
      known.learn(await asking.ask(prepare, asking.demand, asking.signal));
      for (const id of ids) if (!known.hasActivity(id)) this.#remember(id, undefined);
    } catch (error) {
      if (!isOfIds(error)) throw error;
      await this.#bisect([...ids], error, batch, asking);
    }
  }

  /**
   * Retries a failed batch in halves, since one bad id may spoil it. If the path itself is gone, as the vendor has announced,
   * no id is at fault.
   */
  async #bisect(ids: readonly string[], problem: Problem, batch: Batch, asking: Asking): Promise<void> {
    if (ids.length === 1 || isOfPath(problem)) {
      for (const id of ids) this.#remember(id, problem);
      return;
    }
    await Promise.all(halvesOf(ids).map((half) => this.#askFor(half, batch, asking)));
  }

  /** @param problem undefined if there is no such id */
  #remember(id: string, problem: Problem | undefined): void {
    const isUnknown = problem === undefined || problem.code === 'campaign-not-found';
    this.#parts.known.remember(id, isUnknown ? 'none' : problem, this.#parts.notFoundSeconds);
  }
}

/** Whether a failed batch may be the fault of one of its ids. */
export const isOfIds = (error: unknown): error is Problem =>
  error instanceof Problem && (error.code === 'campaign-not-found' || error.isLasting);

export function halvesOf(ids: readonly string[]): readonly ReadonlySet<string>[] {
  const middle = ids.length >> 1;
  return [new Set(ids.slice(0, middle)), new Set(ids.slice(middle))];
}
