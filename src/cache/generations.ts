/**
 * Invalidates later pages when the first page changes.
 *
 * An offset cursor shifts when newer rows arrive, so a walk that takes its first page from after an arrival and the
 * others from before would repeat or miss rows. Every walk (campaign, report and since) therefore has a generation, which
 * is part of the keys of its later pages: a new generation makes all of them unreachable at once, also those that are
 * being fetched at that moment, and they are evicted in time.
 *
 * Generations only rise. Where instances share their pages they share the generations, and the highest is the present one.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { PageOfWalk } from './page-of-walk.ts';

/** What is known of a walk. */
export interface WalkState {
  readonly generation: number;
  /** The newest row, by which first pages of different limits can be compared; undefined until one has arrived. */
  readonly newest: string | undefined;
  /** The tags of the first pages, by limit. */
  readonly firstPages: Map<number, string>;
  /** In which session of the second level the generation was seen to be the present one. */
  confirmedIn: number;
}

/** What tells one content of a page from another. */
interface PageIdentity {
  readonly etag: string;
  /** Identity of the page's first row, or an empty text. */
  readonly firstRow: string;
}

/** A page that has been fetched. */
export interface ArrivedPage extends PageIdentity {
  readonly of: PageOfWalk;
  /** The generation under which the page was asked for. */
  readonly askedIn: number;
  /** The tag that this page had before, where it was held. */
  readonly previousEtag: string | undefined;
}

/** Walks that are remembered. */
export const maxWalks = 50_000;
/** Limits in use for one walk are few; past this they are forgotten, which costs at most a refetch of its later pages. */
const maxFirstPages = 8;
const unknown: WalkState = { generation: 0, newest: undefined, firstPages: new Map(), confirmedIn: 0 };

export class Generations {
  readonly #clock: Clock;
  readonly #walks: LRUCache<string, WalkState>;
  readonly #onNew: (walk: string) => void;
  #last = 0;

  /**
   * @param max walks remembered; a forgotten one starts a new generation
   * @param onNew called with a walk that has another generation than before
   */
  constructor(max: number, clock: Clock, onNew: (walk: string) => void = () => {}) {
    this.#clock = clock;
    this.#onNew = onNew;
    this.#walks = new LRUCache({ max });
  }

  /** What is known of the walk; its generation is 0 where that is nothing. */
  of(walk: string): WalkState {
    return this.#walks.get(walk) ?? unknown;
  }

  /** Takes note of a page that has arrived. Returns the generation that it belongs to. */
  arrived(page: ArrivedPage): number {
    const { of, askedIn } = page;
    const state = this.of(of.walk);
    if (of.kind === 'next') {
      // A later page that differs from what it was means that the first page has changed too, though nobody has asked for it yet.
      if (state !== unknown && state.generation === askedIn && differs(page)) this.adopt(of.walk, this.next());
      return askedIn;
    }
    const generation = isUnchanged(state, of.limit, page) ? state.generation : this.next();
    this.firstPageArrived(of.walk, of.limit, page, generation);
    return generation;
  }

  /** Takes note of a first page that has arrived and belongs to this generation. */
  firstPageArrived(walk: string, limit: number, { etag, firstRow }: PageIdentity, generation: number): void {
    const state = this.of(walk);
    if (generation < state.generation) return;
    const isSame = generation === state.generation && state !== unknown;
    const firstPages = isSame && state.firstPages.size < maxFirstPages ? state.firstPages : new Map<number, string>();
    firstPages.set(limit, etag);
    this.#put(walk, { generation, newest: firstRow, firstPages, confirmedIn: state.confirmedIn });
  }

  /** Takes over a generation that another instance has begun, or has seen; a lower one than the present changes nothing. */
  adopt(walk: string, generation: number): void {
    const { generation: present, confirmedIn } = this.of(walk);
    if (generation > present) this.#put(walk, { generation, newest: undefined, firstPages: new Map(), confirmedIn });
  }

  /** Takes note that in this session the generation is known to be the present one. */
  confirm(walk: string, generation: number, session: number): void {
    this.adopt(walk, generation);
    const state = this.of(walk);
    if (state === unknown) this.#put(walk, { ...unknown, firstPages: new Map(), confirmedIn: session });
    else state.confirmedIn = session;
  }

  /** A generation that is higher than all before. */
  next(): number {
    this.#last = Math.max(this.#last + 1, Math.floor(this.#clock.now()) * 1000);
    return this.#last;
  }

  #put(walk: string, state: WalkState): void {
    this.#last = Math.max(this.#last, state.generation);
    const isNew = state.generation !== this.of(walk).generation;
    this.#walks.set(walk, state);
    if (isNew) this.#onNew(walk);
  }
}

/** Whether a first page is what it was: its newest row, and all of it where it was seen before. */
export function isUnchanged(state: WalkState, limit: number, { etag, firstRow }: PageIdentity): boolean {
  const known = state.firstPages.get(limit);
  return state.newest === firstRow && (known === undefined || known === etag);
}

export function differs({ etag, previousEtag }: Pick<ArrivedPage, 'etag' | 'previousEtag'>): boolean {
  return previousEtag !== undefined && previousEtag !== etag;
}
