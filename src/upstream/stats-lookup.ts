/**
 * Looks up v3's statistics of activities, many per call.
 */
import type { Clock } from '../clock.ts';
import type { V3Stats } from '../model/sources.ts';
import { Problem } from '../problems.ts';
import type { StatsQuestions } from './adapter.ts';
import { askInHalves, type Batch, Batches } from './batches.ts';
import type { Asking } from './call-loop.ts';

/** Statistics by activity, or why there are none; those without any (yet) are missing. */
type Found = ReadonlyMap<string, V3Stats | Problem>;

export class StatsLookup {
  readonly questions: StatsQuestions;
  readonly #batches: Batches<Found>;

  constructor(clock: Clock, questions: StatsQuestions) {
    this.questions = questions;
    this.#batches = new Batches(clock, questions.max, (batch, asking) => this.#askFor(batch, asking));
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

  async #askFor(batch: Batch, { ask, demand, signal }: Asking): Promise<Found> {
    const found = new Map<string, V3Stats | Problem>();
    const askFor = async (ids: ReadonlySet<string>) => {
      const prepare = () => {
        batch.close();
        return this.questions.of(ids);
      };
      for (const [id, stats] of await ask(prepare, demand, signal)) found.set(id, stats);
    };
    await askInHalves(batch.ids, askFor, (id, problem) => void found.set(id, problem));
    return found;
  }
}
