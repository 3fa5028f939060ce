/**
 * Who waits for which fetch: a caller who hangs up ends its own wait, and the last one to leave ends the fetch.
 */
import { Problem } from '../problems.ts';
import { Demand, type Payer, type Urgency } from './demand.ts';

interface Group {
  count: number;
  readonly demand: Demand;
  readonly controller: AbortController;
}

export interface Wait {
  /** As urgent as the most urgent of those who wait. */
  readonly demand: Demand;
  /** Aborted when the last waiting caller leaves. */
  readonly signal: AbortSignal;
  /** Settles as `fetching` does, or rejects when the caller's own signal comes first. */
  until<T>(fetching: Promise<T>): Promise<T>;
}

/** Whether a fetch has failed because all who waited for it had left. */
export const isAbandoned = (error: unknown) => error instanceof Problem && error.reason === abandoned;

const abandoned = 'abandoned';

export class Waiters {
  readonly #groups = new Map<string, Group>();

  /** Joins those who wait for `key`. Without a signal the wait is never given up: the fetch will be completed. */
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

  /** The fetch is over. */
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
