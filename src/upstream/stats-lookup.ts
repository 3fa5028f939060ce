/**
 * Looks up v3's statistics of activities, many per call.
 */
import type { Clock } from '../clock.ts';
import type { V3Stats } from '../model/sources.ts';
import { Problem } from '../problems.ts';
import type { Question, StatsQuestions } from './adapter.ts';
import { type Batch, Batches } from './batches.ts';
import type { Asking } from './call-loop.ts';
import { halvesOf, isOfIds } from './digits-lookup.ts';
import { isOfPath } from './error-meaning.ts';

/** Statistics by activity, or why there are none; those without any (yet) are missing. */
type Found = ReadonlyMap<string, V3Stats | Problem>;

export class StatsLookup {
  readonly #questions: StatsQuestions;
  readonly #batches: Batches<Found>;

  constructor(clock: Clock, questions: StatsQuestions) {
    this.#questions = questions;
    this.#batches = new Batches(clock, questions.max, (batch, asking) => this.#askFor(batch.ids, batch, asking));
  }

  /**
   * Returns undefined if the activity has no statistics (yet).
   *
   * @throws Problem with any upstream code
   */
  async lookUp(activity: string, asking: Asking): Promise<V3Stats | undefined> {
    const found = (await this.#batches.ask(activity, asking)).get(activity);
    if (found instanceof Problem) throw found;
    return found;
  }

  existence(activity: string): Question<unknown> {
    return this.#questions.existence(activity);
  }

  /** Retries a failed batch in halves, since one bad id spoils it (vendor's documentation). */
  async #askFor(ids: ReadonlySet<string>, batch: Batch, asking: Asking): Promise<Found> {
    const prepare = () => {
      batch.close();
      return this.#questions.of(ids);
    };
    try {
      return await asking.ask(prepare, asking.demand, asking.signal);
    } catch (error) {
      if (!isOfIds(error)) throw error;
      if (ids.size === 1 || isOfPath(error)) return new Map([...ids].map((id) => [id, error]));
      const halves = await Promise.all(halvesOf([...ids]).map((half) => this.#askFor(half, batch, asking)));
      return new Map(halves.flatMap((half) => [...half]));
    }
  }
}
