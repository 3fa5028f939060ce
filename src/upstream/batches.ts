/**
 * Gathers questions about single ids into few calls: the daily quota is small, and dashboards request all campaigns at once.
 */
import { type Clock, sleep } from '../clock.ts';
import { Problem } from '../problems.ts';
import { Waiters } from '../quota/waiters.ts';
import type { Asking } from './call-loop.ts';
import { isOfPath } from './error-meaning.ts';
import { askerOf } from './retry-budget.ts';

/** Time to gather ids into one call; a call takes a hundred times as long. */
const gatherMs = 5;

/** Ids that are asked for together. */
export interface Batch {
  readonly ids: ReadonlySet<string>;
  /** Call it right before the call: no id is added from then on. */
  close(): void;
}

interface Open<R> {
  readonly key: string;
  readonly ids: Set<string>;
  isClosed: boolean;
  answer: Promise<R>;
}

export class Batches<R> {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #send: (batch: Batch, asking: Asking) => Promise<R>;
  readonly #waiters = new Waiters();
  /** Open batches by asker: one asker's ids never wait for, or fail with, another's. */
  readonly #gathering = new Map<string, Open<R>>();
  /** Batches in flight by asker and id, so that no id is asked for twice. */
  readonly #running = new Map<string, Open<R>>();
  #batches = 0;

  /**
   * @param max ids in one batch
   * @param send makes the calls for a batch, charged to all who wait for it
   */
  constructor(clock: Clock, max: number, send: (batch: Batch, asking: Asking) => Promise<R>) {
    this.#clock = clock;
    this.#max = max;
    this.#send = send;
  }

  /** Returns the result of the batch that the id is in. @throws what `send` throws, or the signal's reason */
  async ask(id: string, { ask, demand, signal }: Asking): Promise<R> {
    const asker = askerOf(demand);
    const own = `${asker} ${id}`;
    const gathering = this.#gathering.get(asker);
    const open = gathering && !gathering.isClosed && gathering.ids.size < this.#max ? gathering : undefined;
    const batch = this.#running.get(own) ?? open ?? this.#begin(asker);
    const isFirst = batch.ids.size === 0;
    batch.ids.add(id);
    this.#running.set(own, batch);
    const wait = this.#waiters.join(batch.key, demand, demand.urgency, signal);
    demand.onJoin((payer, urgency) => wait.demand.join(payer, urgency));
    if (isFirst) {
      batch.answer = this.#gather(asker, batch, { ask, demand: wait.demand, signal: wait.signal });
    }
    return wait.until(batch.answer);
  }

  #begin(asker: string): Open<R> {
    const answer = Promise.reject<R>(new Error('not sent'));
    answer.catch(() => {});
    const batch = { key: String(this.#batches++), ids: new Set<string>(), isClosed: false, answer };
    this.#gathering.set(asker, batch);
    return batch;
  }

  async #gather(asker: string, batch: Open<R>, asking: Asking): Promise<R> {
    const close = () => {
      batch.isClosed = true;
    };
    try {
      await sleep(this.#clock, gatherMs, asking.signal);
      return await this.#send({ ids: batch.ids, close }, asking);
    } finally {
      close();
      this.#waiters.done(batch.key);
      if (this.#gathering.get(asker) === batch) this.#gathering.delete(asker);
      for (const one of batch.ids) this.#running.delete(`${asker} ${one}`);
    }
  }
}

/**
 * Asks for ids in one call, and again in halves if it fails, since one bad id may spoil it (vendor's documentation). If the path
 * itself is gone, as the vendor has announced of one, no id is at fault.
 *
 * @param failed called with each id that fails on the last try
 * @throws what `ask` throws, if that cannot be the fault of an id
 */
export async function askInHalves(
  ids: ReadonlySet<string>,
  ask: (ids: ReadonlySet<string>) => Promise<void>,
  failed: (id: string, problem: Problem) => void,
): Promise<void> {
  try {
    await ask(ids);
  } catch (error) {
    if (!isOfIds(error)) throw error;
    if (ids.size === 1 || isOfPath(error)) {
      for (const id of ids) failed(id, error);
      return;
    }
    const all = [...ids];
    const middle = all.length >> 1;
    const halves = [new Set(all.slice(0, middle)), new Set(all.slice(middle))];
    await Promise.all(halves.map((half) => askInHalves(half, ask, failed)));
  }
}

/** Whether a failed batch may be the fault of one of its ids. */
const isOfIds = (error: unknown): error is Problem =>
  error instanceof Problem && (error.code === 'campaign-not-found' || error.isLasting);
