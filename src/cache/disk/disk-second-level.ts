/**
 * Keeps pages on the disk over a restart, for a single instance.
 *
 * Pages are written in the background and read on a miss only. One process uses the folder: memory is never behind the disk, and
 * every lease is granted, since misses of one page are one call already.
 */
import { answersWithin, type Clock, settlesWithin } from '../../clock.ts';
import type { Availability } from '../../storage/availability.ts';
import { answerLimitMs, type Lanes } from '../../storage/lanes.ts';
import { type ArrivedPage, type Generations, isPlausible } from '../generations.ts';
import { type Page, pageOf } from '../page.ts';
import type { PageOfWalk } from '../page-of-walk.ts';
import type { RefusalCode } from '../refusals.ts';
import { type Lease, noLease, type SecondLevel, type SecondLevelReply, type Wanted } from '../second-level.ts';
import { timesOf } from '../stored-times.ts';
import { type PathsOfPage, pathsOf } from './page-paths.ts';
import type { PageStore } from './page-store.ts';
import type { Stored, StoredPage } from './stored-page.ts';

interface Parts {
  readonly clock: Clock;
  readonly generations: Generations;
  readonly availability: Availability;
  readonly store: PageStore;
  readonly lanes: Lanes;
  readonly onUnreadable: (why: 'damaged') => void;
}

export interface DiskPagesOptions {
  /** Settings that change how a page is rendered. */
  readonly namespace: string;
  readonly maxFreshSeconds: number;
  readonly staleIfErrorSeconds: number;
  readonly notFoundSeconds: number;
  /** Largest content of a page, in bytes. */
  readonly maxPageBytes: number;
}

const purgeLimitMs = 30_000;

/** A lookup and, if it ends with a lease, the call. */
interface Lookup {
  readonly paths: PathsOfPage;
  /** Whether the campaign was purged meanwhile: nothing that was read or fetched is of use. */
  isPurged: boolean;
}

type Usable = Exclude<SecondLevelReply, { kind: 'lease' }> | { readonly kind: 'fallback'; readonly page: Page };

type IsWanted = () => boolean;

export class DiskSecondLevel implements SecondLevel {
  readonly #parts: Parts;
  #options: DiskPagesOptions;
  readonly #lookups = new Set<Lookup>();
  #onPurge: (campaign: string | undefined) => void = () => {};

  constructor(parts: Parts, options: DiskPagesOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  reconfigure(options: DiskPagesOptions): void {
    this.#options = options;
  }

  /** No other process moves a walk. */
  isDoubtful(): boolean {
    return false;
  }

  async confirm(walk: string): Promise<void> {
    const paths = pathsOf(this.#options.namespace, { kind: 'next', walk, cursor: '' });
    if (paths) await this.#withinLimit((isWanted) => this.#learn(walk, paths, isWanted));
  }

  async look(of: PageOfWalk, wanted: Wanted): Promise<SecondLevelReply> {
    const paths = pathsOf(this.#options.namespace, of);
    if (!paths) return { kind: 'lease', lease: noLease, fallback: undefined };
    const lookup = { paths, isPurged: false };
    this.#lookups.add(lookup);
    // A page that is held in memory is on the disk, too, but no newer one is.
    const found = wanted.known
      ? undefined
      : await this.#withinLimit((isWanted) => this.#readStored(of, paths, isWanted));
    const reply = found && !lookup.isPurged ? this.#replyTo(of, wanted, found) : undefined;
    if (!reply || reply.kind === 'fallback') {
      return { kind: 'lease', lease: this.#lease(of, lookup), fallback: reply?.page };
    }
    this.#lookups.delete(lookup);
    return reply;
  }

  async purge(campaign: string | undefined): Promise<boolean> {
    const { store, clock } = this.#parts;
    for (const lookup of this.#lookups)
      lookup.isPurged ||= campaign === undefined || lookup.paths.campaign === campaign;
    let isDone = false;
    const purging = (campaign === undefined ? store.purgeAll() : store.purge(campaign)).then((done) => {
      isDone = done;
    });
    await settlesWithin(clock, purgeLimitMs, purging);
    this.#onPurge(campaign);
    return isDone;
  }

  onPurge(listener: (campaign: string | undefined) => void): void {
    this.#onPurge = listener;
  }

  /** Runs a lookup; undefined if the disk does not answer in time. While it hangs, no later lookup waits. */
  async #withinLimit<T>(lookUp: (isWanted: IsWanted) => Promise<T>): Promise<T | undefined> {
    const { clock, availability, lanes } = this.#parts;
    if (!availability.may('read')) return undefined;
    if (lanes.hangs) {
      availability.failed('read', 'slow');
      return undefined;
    }
    let found: T | undefined;
    let isWanted = true;
    const looking = lookUp(() => isWanted).then((one) => {
      found = one;
    });
    const isInTime = await answersWithin(clock, answerLimitMs, looking);
    isWanted = false;
    if (!isInTime) availability.failed('read', 'slow');
    return isInTime ? found : undefined;
  }

  /** Learns a walk that was not asked for since the start. */
  async #learn(walk: string, paths: PathsOfPage, isWanted: IsWanted): Promise<void> {
    const { generations, store, clock } = this.#parts;
    if (generations.of(walk).generation > 0) return;
    const state = await store.readWalk(paths, isWanted);
    if (state && isWanted() && isPlausible(state.generation, clock.now())) generations.restore(walk, state);
  }

  async #readStored(of: PageOfWalk, paths: PathsOfPage, isWanted: IsWanted): Promise<Stored | undefined> {
    const { store, onUnreadable } = this.#parts;
    const [stored] = await Promise.all([store.readPage(paths, isWanted), this.#learn(of.walk, paths, isWanted)]);
    if (stored?.kind !== 'page') return stored;
    if (stored.body.identityBytes > this.#options.maxPageBytes) {
      onUnreadable('damaged');
      return undefined;
    }
    store.holds(paths, stored.body);
    return stored;
  }

  /** Decides what a stored page or refusal is good for; undefined if for nothing. */
  #replyTo(of: PageOfWalk, { notBefore, mayBeStale }: Wanted, stored: Stored): Usable | undefined {
    const { generations, clock } = this.#parts;
    const [now, wall] = [clock.monotonic(), clock.now()];
    const times = timesOf(stored, wall, this.#options);
    if (times.goneAt <= wall) return undefined;
    const [fetchedAt, until] = [now - wall + times.fetchedAt, now - wall + times.until];
    const { generation } = stored;
    const isOfGeneration = generation === generations.of(of.walk).generation;
    const isRecent = isOfGeneration && fetchedAt >= notBefore;
    if (stored.kind === 'refusal') return isRecent ? { kind: 'refusal', code: stored.code, until } : undefined;
    const page = pageOf(stored.body, { fetchedAt, freshUntil: until, generation, failedAt: undefined });
    if (isRecent && (until > now || mayBeStale)) return { kind: 'page', page, waited: false };
    return of.kind === 'first' || isOfGeneration ? { kind: 'fallback', page } : undefined;
  }

  #lease(of: PageOfWalk, lookup: Lookup): Lease {
    const end = () => void this.#lookups.delete(lookup);
    return {
      stored: async (page, arrived) => {
        end();
        return this.#store(page, arrived, lookup);
      },
      refused: (code, forMs) => {
        end();
        this.#storeRefusal(of, code, forMs, lookup);
      },
      failed: end,
      released: end,
    };
  }

  /** Returns the page's generation, whether it is stored or not: it has been decided. */
  #store(
    { body, fetchedAt, freshUntil }: Pick<Page, 'body' | 'fetchedAt' | 'freshUntil'>,
    arrived: ArrivedPage,
    lookup: Lookup,
  ) {
    const { generations, store } = this.#parts;
    const { of } = arrived;
    const generation = generations.arrived(arrived);
    // A purge leaves nothing, the state of a walk neither.
    if (lookup.isPurged) return generation;
    if (generation !== generations.of(of.walk).generation) {
      store.write(lookup.paths, of.walk, undefined);
      return generation;
    }
    const at = this.#toWall(fetchedAt);
    const stored: StoredPage = { kind: 'page', generation, fetchedAt: at, until: this.#toWall(freshUntil), body };
    const keptMs = timesOf(stored, at, this.#options).goneAt - at;
    store.write(lookup.paths, of.walk, { stored, until: fetchedAt + keptMs });
    return generation;
  }

  #storeRefusal({ walk }: PageOfWalk, code: RefusalCode, forMs: number, { paths, isPurged }: Lookup): void {
    if (isPurged) return;
    const { generations, store, clock } = this.#parts;
    const now = clock.monotonic();
    const fetchedAt = this.#toWall(now);
    const until = fetchedAt + Math.ceil(forMs);
    const { generation } = generations.of(walk);
    store.write(paths, walk, { stored: { kind: 'refusal', generation, fetchedAt, until, code }, until: now + forMs });
  }

  /** Converts monotonic to wall time. */
  #toWall(monotonicMs: number): number {
    const { clock } = this.#parts;
    return Math.round(clock.now() - clock.monotonic() + monotonicMs);
  }
}
