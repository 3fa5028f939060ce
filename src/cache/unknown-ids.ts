/**
 * Limits the calls that a client can spend on campaign ids that do not exist: `maxUnknownIds` different ones an hour.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { OtherIds } from '../model/campaign-ids.ts';
import { upTo } from '../model/lru.ts';
import { Problem } from '../problems.ts';

/** Most unknown ids per client and hour. */
export const maxUnknownIds = 60;
const hourMs = 3_600_000;
/** Most clients remembered; the least recently seen is evicted. */
const maxClients = 5_000;
const maxKnown = 50_000;

interface UnknownId {
  /** When it was requested, in monotonic milliseconds. */
  readonly at: number;
  /** Whether the response was an empty page instead of an error. */
  readonly isAnswered: boolean;
}

interface ClientIds {
  /** Oldest first. */
  readonly unknown: Map<string, UnknownId>;
  /** Ids with a lookup in flight. */
  readonly pending: Set<string>;
  /** Resume requests that wait for a pending id. */
  waiting: (() => void)[];
}

export class UnknownIds {
  readonly #clock: Clock;
  #rememberedMs: number;
  /** Ids known to exist, for all clients. */
  readonly #known = new LRUCache<string, true>(upTo(maxKnown));
  readonly #clients = new LRUCache<string, ClientIds>(upTo(maxClients));
  readonly #ids: OtherIds;

  /**
   * @param notFoundSeconds how long an unknown id is remembered
   * @param ids what else is known about ids
   */
  constructor(clock: Clock, notFoundSeconds: number, ids: OtherIds) {
    this.#clock = clock;
    this.#rememberedMs = notFoundSeconds * 1000;
    this.#ids = ids;
  }

  set notFoundSeconds(seconds: number) {
    this.#rememberedMs = seconds * 1000;
  }

  /** Forgets one id, or all. */
  forget(id?: string): void {
    if (id === undefined) this.#known.clear();
    else this.#known.delete(id);
    for (const { unknown } of this.#clients.values()) {
      if (id === undefined) unknown.clear();
      else unknown.delete(id);
    }
  }

  /**
   * Runs `ask` for a campaign id. Waits while the client's pending ids could exceed the limit if all were unknown. An id
   * known to exist always passes. An id with an empty page, and known not to exist, counts.
   *
   * @throws Problem `rate-limited`, what `ask` throws, or the signal's reason
   */
  async watch<T>(client: string, id: string, signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
    if (this.#known.has(id) || this.#ids.exists(id)) return ask();
    const ids = this.#of(client);
    if (ids.pending.has(id)) return ask();
    while (!this.#mayAsk(ids, id)) await untilNext(ids, signal);
    ids.pending.add(id);
    try {
      const answer = await ask();
      if (this.#ids.isNowhere(id)) this.#count(ids, id, true);
      else {
        ids.unknown.delete(id);
        this.#known.set(id, true);
      }
      return answer;
    } catch (error) {
      if (error instanceof Problem && error.code === 'campaign-not-found') this.#count(ids, id, false);
      throw error;
    } finally {
      ids.pending.delete(id);
      for (const proceed of ids.waiting.splice(0)) proceed();
    }
  }

  /**
   * Whether one more id may be looked up now; false while that depends on pending ids.
   *
   * @throws Problem if the limit is reached or the id is known not to exist
   */
  #mayAsk(ids: ClientIds, id: string): boolean {
    const now = this.#clock.monotonic();
    this.#forgetOld(ids);
    const unknown = ids.unknown.get(id);
    if (unknown) {
      // Remembered for the id as a whole, whatever is requested about it.
      if (unknown.isAnswered || now - unknown.at >= this.#rememberedMs) return true;
      throw new Problem('campaign-not-found', { reason: 'remembered' });
    }
    if (ids.unknown.size >= maxUnknownIds) throw tooMany(ids, now);
    return ids.unknown.size + ids.pending.size < maxUnknownIds;
  }

  #count({ unknown }: ClientIds, id: string, isAnswered: boolean): void {
    unknown.delete(id);
    unknown.set(id, { at: this.#clock.monotonic(), isAnswered });
  }

  #of(client: string): ClientIds {
    const known = this.#clients.get(client) ?? { unknown: new Map(), pending: new Set(), waiting: [] };
    this.#clients.set(client, known);
    return known;
  }

  #forgetOld({ unknown }: ClientIds): void {
    const since = this.#clock.monotonic() - hourMs;
    for (const [id, { at }] of unknown) {
      if (at > since) return;
      unknown.delete(id);
    }
  }
}

/** Resolves when a pending id is settled; rejects with the signal's reason. */
function untilNext({ waiting }: ClientIds, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal?.reason);
    if (signal?.aborted) return leave();
    signal?.addEventListener('abort', leave, { once: true });
    waiting.push(() => {
      signal?.removeEventListener('abort', leave);
      resolve();
    });
  });
}

function tooMany({ unknown }: ClientIds, now: number): Problem {
  const [oldest = { at: now }] = unknown.values();
  return new Problem('rate-limited', {
    detail: `This client has requested ${maxUnknownIds} campaign ids within an hour that do not exist. Check the ids.`,
    retryAfterSeconds: Math.max(1, Math.ceil((oldest.at + hourMs - now) / 1000)),
    reason: 'unknown-ids',
  });
}
