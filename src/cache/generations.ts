/**
 * If the head changes, the tail goes.
 *
 * An offset cursor shifts when newer sends arrive, so a walk that takes its first page from after an arrival and the
 * others from before would repeat or miss sends. Every walk (campaign and since) therefore has a generation, which is
 * part of the key of its cursor pages: a new generation makes all of them unreachable at once, also those that are
 * being fetched at that moment, and the LRU takes them away.
 *
 * Generations only rise. Where instances share their pages they share the generations, and the highest is the present one.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';

export interface Walk {
  readonly generation: number;
  /** The newest send, by which heads of different limits can be compared; undefined until a head arrived. */
  readonly newest: string | undefined;
  /** The tags of the heads, by limit. */
  readonly heads: Map<number, string>;
  /** In which session of what is shared the generation was seen to be the present one. */
  confirmedIn: number;
}

export interface ArrivedHead {
  readonly limit: number;
  readonly etag: string;
  /** Identity of the page's first send, or an empty string. */
  readonly first: string;
}

export interface ArrivedPage extends Omit<ArrivedHead, 'limit'> {
  /** The limit of a head; undefined for a page behind a cursor. */
  readonly limit: number | undefined;
  /** The generation under which the page was asked for. */
  readonly askedIn: number;
  /** The tag that this page had before, where it was held. */
  readonly previousEtag: string | undefined;
}

/** Limits in use for one walk are few; past this they are forgotten, which costs at most a refetch of the tail. */
const maxHeads = 8;
const unknown: Walk = { generation: 0, newest: undefined, heads: new Map(), confirmedIn: 0 };

export class Walks {
  readonly #clock: Clock;
  readonly #walks: LRUCache<string, Walk>;
  #lastGeneration = 0;

  readonly #onMoved: (key: string) => void;

  /**
   * @param max walks remembered; a forgotten one starts a new generation
   * @param onMoved called with a walk that has come to another generation
   */
  constructor(max: number, clock: Clock, onMoved: (key: string) => void = () => {}) {
    this.#clock = clock;
    this.#onMoved = onMoved;
    this.#walks = new LRUCache({ max });
  }

  /** What is known of the walk; its generation is 0 where that is nothing. */
  of(key: string): Walk {
    return this.#walks.get(key) ?? unknown;
  }

  /** Tells of a page that has arrived. Returns the generation that it belongs to. */
  arrived(key: string, page: ArrivedPage): number {
    const { limit, etag, first, askedIn } = page;
    const walk = this.of(key);
    if (limit === undefined) {
      // A tail that differs from what it was means that the head has moved on too, though nobody has asked for it yet.
      if (walk !== unknown && walk.generation === askedIn && differs(page)) this.adopt(key, this.next());
      return askedIn;
    }
    const head = { limit, etag, first };
    const generation = isUnchanged(walk, head) ? walk.generation : this.next();
    this.headArrived(key, head, generation);
    return generation;
  }

  /** Tells of a head that has arrived and belongs to this generation. */
  headArrived(key: string, { limit, etag, first }: ArrivedHead, generation: number): void {
    const walk = this.of(key);
    if (generation < walk.generation) return;
    const isSame = generation === walk.generation && walk !== unknown;
    const heads = isSame && walk.heads.size < maxHeads ? walk.heads : new Map<number, string>();
    heads.set(limit, etag);
    this.#put(key, { generation, newest: first, heads, confirmedIn: walk.confirmedIn });
  }

  /** Tells of a generation that another instance has begun, or has seen. */
  adopt(key: string, generation: number): void {
    const { generation: present, confirmedIn } = this.of(key);
    if (generation > present) this.#put(key, { generation, newest: undefined, heads: new Map(), confirmedIn });
  }

  /** Tells that in this session the generation is known to be the present one. */
  confirm(key: string, generation: number, session: number): void {
    this.adopt(key, generation);
    const walk = this.of(key);
    if (walk === unknown) this.#put(key, { ...unknown, heads: new Map(), confirmedIn: session });
    else walk.confirmedIn = session;
  }

  /** A generation that is higher than all before. */
  next(): number {
    this.#lastGeneration = Math.max(this.#lastGeneration + 1, Math.floor(this.#clock.now()) * 1000);
    return this.#lastGeneration;
  }

  #put(key: string, walk: Walk): void {
    this.#lastGeneration = Math.max(this.#lastGeneration, walk.generation);
    const hasMoved = walk.generation !== this.of(key).generation;
    this.#walks.set(key, walk);
    if (hasMoved) this.#onMoved(key);
  }
}

/** Whether a head is what it was: its newest send, and all of it where it was seen before. */
export function isUnchanged(walk: Walk, { limit, etag, first }: ArrivedHead): boolean {
  const known = walk.heads.get(limit);
  return walk.newest === first && (known === undefined || known === etag);
}

export function differs({ etag, previousEtag }: Pick<ArrivedPage, 'etag' | 'previousEtag'>): boolean {
  return previousEtag !== undefined && previousEtag !== etag;
}
