/**
 * Looks v2's digits up in v3, many per call.
 */
import type { Clock } from '../clock.ts';
import type { Problem } from '../problems.ts';
import { askInHalves, type Batch, Batches } from './batches.ts';
import type { Asking } from './call-loop.ts';
import type { KnownIds } from './known-ids.ts';
import { activitiesOfDigits, maxXrefs } from './v3-ids.ts';

interface Parts {
  readonly known: KnownIds;
  readonly clock: Clock;
  readonly notFoundSeconds: () => number;
}

export class DigitsLookup {
  readonly #parts: Parts;
  readonly #batches: Batches<void>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#batches = new Batches(parts.clock, maxXrefs, (batch, asking) => this.#askFor(batch, asking));
  }

  /** Looks an id up; the result is in `known`. @throws Problem with any upstream code; not if the id is unknown */
  lookUp(id: string, asking: Asking): Promise<void> {
    return this.#batches.ask(id, asking);
  }

  #askFor(batch: Batch, { ask, demand, signal }: Asking): Promise<void> {
    const { known } = this.#parts;
    const askFor = async (ids: ReadonlySet<string>) => {
      const prepare = () => {
        batch.close();
        return activitiesOfDigits(ids);
      };
      known.learn(await ask(prepare, demand, signal));
      for (const id of ids) if (!known.hasActivity(id)) this.#remember(id, undefined);
    };
    return askInHalves(batch.ids, askFor, (id, problem) => this.#remember(id, problem));
  }

  /** @param problem undefined if there is no such id */
  #remember(id: string, problem: Problem | undefined): void {
    const isUnknown = problem === undefined || problem.code === 'campaign-not-found';
    this.#parts.known.remember(id, isUnknown ? 'none' : problem, this.#parts.notFoundSeconds());
  }
}
