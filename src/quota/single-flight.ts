/**
 * Coalesces concurrent requests for one key into one call. A caller who disconnects ends its own wait; the last one aborts
 * the call.
 */
import type { Demand, Payer, Urgency } from './demand.ts';
import { Waiters } from './waiters.ts';

interface Asker extends Payer {
  readonly urgency: Urgency;
  /** Without a signal, the call always completes. */
  readonly signal?: AbortSignal | undefined;
}

/** A call in flight. */
export interface Call {
  /** Charged to all callers who wait, with the priority of the most urgent. */
  readonly demand: Demand;
  /** Aborted when the last of them disconnects. */
  readonly signal: AbortSignal;
  /** Whether a purge has overtaken the call: its result goes to those who wait and is not cached. */
  readonly isForgotten: boolean;
}

export interface Flight<T> {
  readonly demand: Demand;
  /** Whether the call was started by an earlier caller. */
  readonly isJoined: boolean;
  /** Result of the call. Rejects as the call does, or with the signal's reason if the caller disconnects first. */
  result(): Promise<T>;
}

interface InFlight<T> {
  readonly call: { -readonly [K in keyof Call]: Call[K] };
  readonly result: Promise<T>;
}

export class SingleFlight<T> {
  readonly #waiters = new Waiters();
  readonly #inFlight = new Map<string, InFlight<T>>();

  /** Joins the call for `key`, or starts it. */
  join(key: string, { team, client, urgency, signal }: Asker, start: (call: Call) => Promise<T>): Flight<T> {
    const wait = this.#waiters.join(key, { team, client }, urgency, signal);
    const joined = this.#inFlight.get(key);
    const { result } =
      joined ?? this.#start(key, { demand: wait.demand, signal: wait.signal, isForgotten: false }, start);
    return { demand: wait.demand, isJoined: joined !== undefined, result: () => wait.until(result) };
  }

  #start(key: string, call: InFlight<T>['call'], start: (call: Call) => Promise<T>): InFlight<T> {
    const result = start(call).finally(() => {
      if (!call.isForgotten) this.#remove(key);
    });
    // Waiting callers see the rejection; a background refresh has none.
    result.catch(() => {});
    const flight = { call, result };
    this.#inFlight.set(key, flight);
    return flight;
  }

  /** Detaches matching calls: their results are not cached, and the next request starts a new call. */
  forget(isOne: (key: string) => boolean): void {
    for (const [key, { call }] of this.#inFlight) {
      if (!isOne(key)) continue;
      call.isForgotten = true;
      this.#remove(key);
    }
  }

  #remove(key: string): void {
    this.#inFlight.delete(key);
    this.#waiters.done(key);
  }
}
