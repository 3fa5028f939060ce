/**
 * Looks v2's digits up in v3, many per call: the daily quota is small, and dashboards request all campaigns at once.
 */
import { type Clock, sleep } from '../clock.ts';
import { Problem } from '../problems.ts';
import { Waiters } from '../quota/waiters.ts';
import type { Asking } from './call-loop.ts';
import { isOfPath } from './error-meaning.ts';
import type { KnownIds } from './known-ids.ts';
import { askerOf } from './retry-budget.ts';
import { activitiesOfDigits, maxXrefs } from './v3-ids.ts';

/** Time to gather lookups into one call; a call takes a hundred times as long. */
const gatherMs = 5;

interface Batch {
  readonly key: string;
  readonly ids: Set<string>;
  /** Whether its call has been made; nothing can be added any more. */
  closed: boolean;
  answer: Promise<void>;
}

interface Parts {
  readonly known: KnownIds;
  readonly clock: Clock;
  readonly notFoundSeconds: number;
}

export class DigitsLookup {
  readonly #parts: Parts;
  readonly #waiters = new Waiters();
  /** Open batches by asker: one asker's ids never wait for, or fail with, another's. */
  readonly #gathering = new Map<string, Batch>();
  /** Batches in flight by asker and id, so that no id is looked up twice. */
  readonly #running = new Map<string, Batch>();
  #batches = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Looks an id up; the result is in `known`. @throws Problem with any upstream code; not if the id is unknown */
  async lookUp(id: string, { ask, demand, signal }: Asking): Promise<void> {
    const asker = askerOf(demand);
    const own = `${asker} ${id}`;
    const gathering = this.#gathering.get(asker);
    const open = gathering && !gathering.closed && gathering.ids.size < maxXrefs ? gathering : undefined;
    const batch = this.#running.get(own) ?? open ?? this.#begin(asker);
    const isFirst = batch.ids.size === 0;
    batch.ids.add(id);
    this.#running.set(own, batch);
    const wait = this.#waiters.join(batch.key, demand, demand.urgency, signal);
    demand.onJoin((payer, urgency) => wait.demand.join(payer, urgency));
    if (isFirst) {
      batch.answer = this.#send(batch, { ask, demand: wait.demand, signal: wait.signal }).finally(() => {
        if (this.#gathering.get(asker) === batch) this.#gathering.delete(asker);
        for (const one of batch.ids) this.#running.delete(`${asker} ${one}`);
      });
    }
    await wait.until(batch.answer);
  }

  #begin(asker: string): Batch {
    const batch = { key: String(this.#batches++), ids: new Set<string>(), closed: false, answer: Promise.resolve() };
    this.#gathering.set(asker, batch);
    return batch;
  }

  async #send(batch: Batch, asking: Asking): Promise<void> {
    try {
      await sleep(this.#parts.clock, gatherMs, asking.signal);
      await this.#askFor(batch.ids, batch, asking);
    } finally {
      batch.closed = true;
      this.#waiters.done(batch.key);
    }
  }

  async #askFor(ids: ReadonlySet<string>, batch: Batch, asking: Asking): Promise<void> {
    const { known } = this.#parts;
    const prepare = () => {
      batch.closed = true;
      return activitiesOfDigits(ids);
    };
    try {
      known.learn(await asking.ask(prepare, asking.demand, asking.signal));
      for (const id of ids) if (!known.exists(id)) this.#remember(id, undefined);
    } catch (error) {
      if (!(error instanceof Problem) || (error.code !== 'campaign-not-found' && !error.isLasting)) throw error;
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
    const middle = ids.length >> 1;
    const halves = [ids.slice(0, middle), ids.slice(middle)];
    await Promise.all(halves.map((half) => this.#askFor(new Set(half), batch, asking)));
  }

  /** @param problem undefined if there is no such id */
  #remember(id: string, problem: Problem | undefined): void {
    const isUnknown = problem === undefined || problem.code === 'campaign-not-found';
    this.#parts.known.remember(id, isUnknown ? 'none' : problem, this.#parts.notFoundSeconds);
  }
}
