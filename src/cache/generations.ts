/**
 * Invalidates later pages when the first page changes.
 *
 * Offset cursors shift when newer rows arrive: a first page from after an arrival and later pages from before it would repeat
 * or miss rows. Every walk (campaign, report, `created_since`) therefore has a generation, which is part of the keys of its
 * later pages. A new generation makes all of them unreachable at once, including those being fetched; eviction removes them
 * later.
 *
 * Generations only rise. Instances that share pages share generations, and the highest one is current.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { upTo } from '../model/lru.ts';
import type { PageOfWalk } from './page-of-walk.ts';

/** Generation and first pages of a walk. */
export interface WalkState {
  readonly generation: number;
  /** Digest of the newest row's identity (it may hold an address), which compares first pages of different limits; undefined until one arrives. */
  readonly newest: string | undefined;
  /** ETags of the first pages, by limit. */
  readonly firstPages: Map<number, string>;
  /** Session of the second level in which the generation was last confirmed. */
  confirmedIn: number;
}

/** Distinguishes two contents of a page. */
interface PageIdentity {
  readonly etag: string;
  /** Identity of the first row, or an empty string. */
  readonly firstRow: string;
}

/** A page that was just fetched. */
export interface ArrivedPage extends PageIdentity {
  readonly of: PageOfWalk;
  /** Generation of the walk when the call was made. */
  readonly askedIn: number;
  /** ETag of the cached page that this one replaces, if any. */
  readonly previousEtag: string | undefined;
}

/** Most walks remembered. */
export const maxWalks = 50_000;
/** Most limits remembered for one walk. Beyond it they are forgotten, which costs at most a refetch of the later pages. */
const maxFirstPages = 8;
/** Generations follow the clock, 1,000 per millisecond. One that is a day ahead is not ours. */
const dayMs = 86_400_000;

/** Returns the highest generation that can be ours: a walk could never move past one that is far ahead. @param now wall time */
export const highestGeneration = (now: number) => Math.floor(now + dayMs) * 1000;

/** Whether a generation from outside the process can be ours. */
export const isPlausible = (generation: number, now: number) =>
  Number.isSafeInteger(generation) && generation > 0 && generation <= highestGeneration(now);

const unknown: WalkState = { generation: 0, newest: undefined, firstPages: new Map(), confirmedIn: 0 };

export class Generations {
  readonly #clock: Clock;
  /** Wall time at the origin of the monotonic clock: a clock that is set ahead for a moment must not raise generations for good. */
  readonly #originMs: number;
  readonly #walks: LRUCache<string, WalkState>;
  readonly #onNew: (walk: string) => void;
  #last = 0;

  /**
   * @param max walks remembered; a forgotten walk starts a new generation
   * @param onNew called with a walk when its generation changes
   */
  constructor(max: number, clock: Clock, onNew: (walk: string) => void = () => {}) {
    this.#clock = clock;
    this.#originMs = clock.now() - clock.monotonic();
    this.#onNew = onNew;
    this.#walks = new LRUCache(upTo(max));
  }

  /** Returns the state of a walk; generation 0 if it is unknown. */
  of(walk: string): WalkState {
    return this.#walks.get(walk) ?? unknown;
  }

  /** Records a fetched page. Returns its generation. */
  arrived(page: ArrivedPage): number {
    const { of, askedIn } = page;
    const state = this.of(of.walk);
    if (of.kind === 'next') {
      // A changed later page implies a changed first page, even if the first page has not been requested since.
      if (state !== unknown && state.generation === askedIn && differs(page)) this.adopt(of.walk, this.next());
      return askedIn;
    }
    const generation = isUnchanged(state, of.limit, page) ? state.generation : this.next();
    this.firstPageArrived(of.walk, of.limit, page, generation);
    return generation;
  }

  /** Records a fetched first page under a generation that is already decided. */
  firstPageArrived(walk: string, limit: number, { etag, firstRow }: PageIdentity, generation: number): void {
    const state = this.of(walk);
    if (generation < state.generation) return;
    const isSame = generation === state.generation && state !== unknown;
    const firstPages = isSame && state.firstPages.size < maxFirstPages ? state.firstPages : new Map<number, string>();
    firstPages.set(limit, etag);
    this.#put(walk, { generation, newest: digestOf(firstRow), firstPages, confirmedIn: state.confirmedIn });
  }

  /** Adopts a generation of another instance; ignores one that is not higher than the current one. */
  adopt(walk: string, generation: number): void {
    const { generation: present, confirmedIn } = this.of(walk);
    if (generation > present) this.#put(walk, { generation, newest: undefined, firstPages: new Map(), confirmedIn });
  }

  /** Records that the second level confirmed the generation in this session. */
  confirm(walk: string, generation: number, session: number): void {
    this.adopt(walk, generation);
    const state = this.of(walk);
    if (state === unknown) this.#put(walk, { ...unknown, firstPages: new Map(), confirmedIn: session });
    else state.confirmedIn = session;
  }

  /** Restores a walk that is stored over a restart, unless something is known of it. */
  restore(walk: string, state: Omit<WalkState, 'confirmedIn'>): void {
    if (this.of(walk) === unknown) this.#put(walk, { ...state, confirmedIn: unknown.confirmedIn });
  }

  /** Returns a generation above all earlier ones. */
  next(): number {
    this.#last = Math.max(this.#last + 1, Math.floor(this.#originMs + this.#clock.monotonic()) * 1000);
    return this.#last;
  }

  #put(walk: string, state: WalkState): void {
    this.#last = Math.max(this.#last, state.generation);
    const isNew = state.generation !== this.of(walk).generation;
    this.#walks.set(walk, state);
    if (isNew) this.#onNew(walk);
  }
}

/** Whether a first page is unchanged: its newest row, and its ETag if the same limit was seen before. */
export function isUnchanged(state: WalkState, limit: number, { etag, firstRow }: PageIdentity): boolean {
  const known = state.firstPages.get(limit);
  return state.newest === digestOf(firstRow) && (known === undefined || known === etag);
}

export function differs({ etag, previousEtag }: Pick<ArrivedPage, 'etag' | 'previousEtag'>): boolean {
  return previousEtag !== undefined && previousEtag !== etag;
}

const digestOf = (row: string) => createHash('sha256').update(row).digest('base64url').slice(0, 22);
