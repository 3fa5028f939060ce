/**
 * Tracks who waits for which fetch: a caller who disconnects ends its own wait, and the last one aborts the fetch.
 */
import { Problem } from '../problems.ts';
import { Demand, type Payer, type Urgency } from './demand.ts';

interface Group {
  count: number;
  readonly demand: Demand;
  readonly controller: AbortController;
}

export interface Wait {
  /** Takes the highest urgency of those who wait. */
  readonly demand: Demand;
  /** Aborted when the last caller disconnects. */
  readonly signal: AbortSignal;
  /** Settles as `fetching` does, or rejects if the caller's signal aborts first. */
  until<T>(fetching: Promise<T>): Promise<T>;
}

/** Whether a fetch was aborted because all callers had disconnected. */
export const isAbandoned = (error: unknown) => error instanceof Problem && error.reason === abandoned;

const abandoned = 'abandoned';

export class Waiters {
  readonly #groups = new Map<string, Group>();

  /** Joins the wait for `key`. Without a signal, the fetch always completes. */
  join(key: string, { team, client }: Payer, urgency: Urgency, signal: AbortSignal | undefined): Wait {
    let group = this.#groups.get(key);
    if (!group) {
      group = { count: 0, demand: new Demand(team, urgency, client), controller: new AbortController() };
      this.#groups.set(key, group);
    }
    const { controller, demand } = group;
    group.count++;
    demand.join({ team, client }, urgency);
    return {
      demand,
      signal: controller.signal,
      until: async (fetching) => {
        if (!signal) return fetching;
        let giveUp = () => {};
        const gone = new Promise<never>((_, reject) => {
          giveUp = () => {
            reject(signal.reason);
            this.#leave(key, controller);
          };
          if (signal.aborted) giveUp();
          else signal.addEventListener('abort', giveUp, { once: true });
        });
        try {
          return await Promise.race([fetching, gone]);
        } finally {
          signal.removeEventListener('abort', giveUp);
        }
      },
    };
  }

  /** Ends the group: the fetch has settled. */
  done(key: string): void {
    this.#groups.delete(key);
  }

  #leave(key: string, controller: AbortController): void {
    const group = this.#groups.get(key);
    if (group?.controller !== controller) return;
    group.count--;
    if (group.count === 0) {
      controller.abort(new Problem('upstream-busy', { retryAfterSeconds: 1, reason: abandoned }));
    }
  }
}
