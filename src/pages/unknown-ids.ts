/**
 * Keeps a client from spending the account's calls on campaign ids that do not exist: it may ask for a number of
 * different ones in an hour.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';

/** Different ids of one client in an hour that turn out not to exist. */
export const maxUnknownIds = 60;
const hourMs = 3_600_000;
/** Clients that are remembered; past it the one that has not asked for longest is forgotten. */
const maxClients = 5_000;
const maxKnown = 50_000;

interface ClientIds {
  /** When each id was asked for, on the monotonic clock; the oldest first. */
  readonly unknown: Map<string, number>;
  /** Ids of which it is not known yet. */
  readonly pending: Set<string>;
  /** Continue those who wait until one of the pending ids is known. */
  waiting: (() => void)[];
}

export class UnknownIds {
  readonly #clock: Clock;
  /** Ids that are known to exist, whoever has asked for them. */
  readonly #known = new LRUCache<string, true>({ max: maxKnown });
  readonly #clients = new LRUCache<string, ClientIds>({ max: maxClients });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs `ask`, a question about a campaign. While as many ids of the client are being asked for as could be too many
   * unknown ones, it waits. What is known to exist is always asked for.
   *
   * @throws Problem `rate-limited`, what `ask` throws, or the signal's reason
   */
  async watch<T>(client: string, id: string, signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
    if (this.#known.has(id)) return ask();
    const ids = this.#of(client);
    if (ids.unknown.has(id) || ids.pending.has(id)) return ask();
    for (;;) {
      this.#forgetOld(ids);
      if (ids.unknown.size >= maxUnknownIds) throw tooMany(ids, this.#clock.monotonic());
      if (ids.unknown.size + ids.pending.size < maxUnknownIds) break;
      await new Promise<void>((resolve) => ids.waiting.push(resolve));
      signal?.throwIfAborted();
    }
    ids.pending.add(id);
    try {
      const answer = await ask();
      this.#known.set(id, true);
      return answer;
    } catch (error) {
      if (error instanceof Problem && error.code === 'campaign-not-found') ids.unknown.set(id, this.#clock.monotonic());
      throw error;
    } finally {
      ids.pending.delete(id);
      for (const proceed of ids.waiting.splice(0)) proceed();
    }
  }

  #of(client: string): ClientIds {
    const known = this.#clients.get(client) ?? { unknown: new Map(), pending: new Set(), waiting: [] };
    this.#clients.set(client, known);
    return known;
  }

  #forgetOld({ unknown }: ClientIds): void {
    const since = this.#clock.monotonic() - hourMs;
    for (const [id, at] of unknown) {
      if (at > since) return;
      unknown.delete(id);
    }
  }
}

function tooMany({ unknown }: ClientIds, now: number): Problem {
  const [oldest = now] = unknown.values();
  return new Problem('rate-limited', {
    detail: `This client has asked for ${maxUnknownIds} campaign ids within an hour that do not exist. Check the ids.`,
    retryAfterSeconds: Math.max(1, Math.ceil((oldest + hourMs - now) / 1000)),
    reason: 'unknown-ids',
  });
}
