/**
 * If the head changes, the tail goes.
 *
 * An offset cursor shifts when newer sends arrive, so a walk that takes its first page from after an arrival and the
 * others from before would repeat or miss sends. Every walk (campaign and since) therefore has a generation, which is
 * part of the key of its cursor pages: a new generation makes all of them unreachable at once, also those that are
 * being fetched at that moment, and the LRU takes them away.
 */
import { LRUCache } from 'lru-cache';

interface Walk {
  readonly generation: number;
  /** The newest send, by which heads of different limits can be compared; undefined until a head arrived. */
  readonly newest: string | undefined;
  /** The tags of the heads, by limit. */
  readonly heads: Map<number, string>;
}

export interface ArrivedPage {
  /** The limit of a head; undefined for a page behind a cursor. */
  readonly limit: number | undefined;
  readonly etag: string;
  /** Identity of the page's first send, or an empty string. */
  readonly first: string;
  /** The generation under which the page was asked for. */
  readonly askedIn: number;
  /** The tag that this page had before, where it was held. */
  readonly previousEtag: string | undefined;
}

/** Limits in use for one walk are few; past this they are forgotten, which costs a refetch of the tail at the most. */
const maxHeads = 8;

export class Walks {
  readonly #walks: LRUCache<string, Walk>;
  #lastGeneration = 0;

  /** @param max walks remembered; a forgotten one starts a new generation */
  constructor(max: number) {
    this.#walks = new LRUCache({ max });
  }

  /** The present generation, or 0 where nothing is known of the walk. */
  generation(walk: string): number {
    return this.#walks.get(walk)?.generation ?? 0;
  }

  /** Tells of a page that has arrived. Returns the generation that it belongs to. */
  arrived(key: string, page: ArrivedPage): number {
    const walk = this.#walks.get(key);
    return page.limit === undefined
      ? this.#tailArrived(key, walk, page)
      : this.#headArrived(key, walk, page, page.limit);
  }

  #headArrived(key: string, walk: Walk | undefined, { etag, first }: ArrivedPage, limit: number): number {
    const known = walk?.heads.get(limit);
    const same = walk !== undefined && walk.newest === first && (known === undefined || known === etag);
    const current = same ? walk : this.#begin(key, first);
    if (current.heads.size >= maxHeads) current.heads.clear();
    current.heads.set(limit, etag);
    return current.generation;
  }

  /** A tail that differs from what it was means that the head has moved on too, though nobody has asked for it yet. */
  #tailArrived(key: string, walk: Walk | undefined, { etag, previousEtag, askedIn }: ArrivedPage): number {
    const differs = previousEtag !== undefined && previousEtag !== etag;
    if (walk && walk.generation === askedIn && differs) this.#begin(key, undefined);
    return askedIn;
  }

  #begin(key: string, newest: string | undefined): Walk {
    this.#lastGeneration++;
    const walk: Walk = { generation: this.#lastGeneration, newest, heads: new Map() };
    this.#walks.set(key, walk);
    return walk;
  }
}
