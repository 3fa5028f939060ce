/**
 * One call for all who ask for the same thing at the same time. A caller who hangs up ends its own wait, and the last one the call.
 */
import type { Demand, Payer, Urgency } from './demand.ts';
import { Waiters } from './waiters.ts';

interface Asker extends Payer {
  readonly urgency: Urgency;
  /** Without one the wait is never given up: the call will be completed. */
  readonly signal?: AbortSignal | undefined;
}

/** A call in flight. */
export interface Call {
  /** On the account of all who ask, as urgent as the most urgent of them. */
  readonly demand: Demand;
  /** Aborted when the last of them leaves. */
  readonly signal: AbortSignal;
  /** What it brings has been invalidated meanwhile: it is for those who wait, and not to be held. */
  readonly isForgotten: boolean;
}

export interface Flight<T> {
  readonly demand: Demand;
  /** The call was made for somebody else, who asked before. */
  readonly isJoined: boolean;
  /** What the call brings. Rejects as it does, or with the signal's reason when the caller leaves first. */
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
    // Those who wait see it fail; behind a stale page there is no one.
    result.catch(() => {});
    const flight = { call, result };
    this.#inFlight.set(key, flight);
    return flight;
  }

  /** What these calls bring is not to be held, and who asks from now on starts another one. */
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
