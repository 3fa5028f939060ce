/**
 * Reads, writes and purges the files of pages.
 */
import type { Keys, Unreadable } from '../../storage/envelope.ts';
import { NotWanted } from '../../storage/lanes.ts';
import type { Generations, WalkState } from '../generations.ts';
import type { PageBody } from '../page.ts';
import { DiskSpace, type DiskSpaceOptions, type DiskSpaceParts } from './disk-space.ts';
import type { PathsOfPage } from './page-paths.ts';
import { readStored, readWalk, type Stored, writeStored, writeWalk } from './stored-page.ts';
import { WriteQueue } from './write-queue.ts';

export interface PageStoreParts extends DiskSpaceParts {
  readonly generations: Generations;
  /** Returns the encryption keys, the one in use first; none: no encryption. */
  readonly keys: () => Keys;
  /** Called once after the start if there are files that are not of Sendgate. They stay. */
  readonly onForeign: (files: number) => void;
}

export interface PageStoreOptions extends DiskSpaceOptions {
  /** Largest file. */
  readonly maxFileBytes: number;
}

/** A page or refusal to write. */
export interface ToStore {
  readonly stored: Stored;
  /** When the file is to be removed, in monotonic milliseconds. */
  readonly until: number;
}

const sweepEveryMs = 3_600_000;
const tendEveryMs = 60_000;
/** Of the state of a walk. */
const maxWalkBytes = 64 * 1024;

/** Changes with every state of a walk: inside a generation, first pages are only added. */
const versionOf = ({ generation, firstPages }: Pick<WalkState, 'generation' | 'firstPages'>) =>
  `${generation}/${firstPages.size}`;

export class PageStore {
  readonly #parts: PageStoreParts;
  #options: PageStoreOptions;
  readonly #space: DiskSpace;
  readonly #queue = new WriteQueue();
  /** Campaigns that are being purged, or whose files could not be removed: they are neither read nor written. */
  readonly #barred = new Set<string>();
  /** Those of them whose purge has failed. It is tried again. */
  readonly #unpurged = new Set<string>();
  /** Campaigns whose files could not be listed: what cannot be listed cannot be removed either, when its time is over. */
  readonly #unlisted = new Set<string>();
  /** While all are being purged, or it is unknown which there are. */
  #areAllBarred = false;
  /** Whether it could not be listed which campaigns there are. */
  #areAllUnlisted = false;
  #isClosed = false;
  #isReleased = false;
  #cancelSweep = () => {};
  #cancelTending = () => {};

  constructor(parts: PageStoreParts, options: PageStoreOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#space = new DiskSpace(parts, options);
  }

  reconfigure(options: PageStoreOptions): void {
    this.#options = options;
    this.#space.reconfigure(options);
  }

  get bytes(): number {
    return this.#space.index.bytes;
  }

  get pages(): number {
    return this.#space.index.pages;
  }

  /** Finds what there is, in the background. */
  start(): void {
    void this.#indexAll();
    this.#sweepLater();
    this.#tendLater();
  }

  /** Returns the state of a walk, if it is stored. Never rejects. */
  async readWalk(paths: PathsOfPage, isWanted: () => boolean): Promise<Omit<WalkState, 'confirmedIn'> | undefined> {
    const file = await this.#read(paths.campaign, paths.walk, maxWalkBytes, isWanted);
    const state = this.#unlessUnreadable(file && readWalk(file, paths.walkContext, this.#parts.keys()));
    if (state) this.#space.index.setVersion(paths.walk, versionOf(state));
    return state;
  }

  /** Returns a page or refusal, if it is stored. Never rejects. */
  async readPage(paths: PathsOfPage, isWanted: () => boolean): Promise<Stored | undefined> {
    const file = await this.#read(paths.campaign, paths.page, this.#options.maxFileBytes, isWanted);
    return this.#unlessUnreadable(file && readStored(file, paths.pageContext, this.#parts.keys()));
  }

  /** Lets a page count as used for as long as memory holds its body. */
  holds({ page }: PathsOfPage, body: PageBody): void {
    this.#space.index.setBody(page, body);
  }

  /**
   * Writes a page or refusal in the background, behind its walk: a page must not be found with the generation before it.
   *
   * @param toStore undefined to write the walk alone
   */
  write(paths: PathsOfPage, walk: string, toStore: ToStore | undefined): void {
    if (this.#isClosed || this.#isBarred(paths.campaign)) return;
    const path = toStore ? paths.page : paths.walk;
    const bytes = toStore?.stored.kind === 'page' ? toStore.stored.body.br.length : 0;
    const run = () => this.#attempt(paths, walk, toStore);
    if (!this.#queue.write(path, bytes, run)) this.#parts.onOperation('write', 'dropped');
  }

  /** Removes the files of a campaign. Resolves with whether none are left; if some are, tries again each minute. */
  async purge(campaign: string): Promise<boolean> {
    this.#barred.add(campaign);
    this.#queue.drop((path) => path.startsWith(`${campaign}/`));
    return (await this.#next(() => this.#removeCampaign(campaign))) === true;
  }

  /** Removes the files of all campaigns. Resolves with whether none are left; if some are, tries again each minute. */
  async purgeAll(): Promise<boolean> {
    this.#areAllBarred = true;
    this.#queue.drop(() => true);
    return (await this.#next(() => this.#removeAll())) === true;
  }

  /** Removes some pages, because there is no room for another file. Resolves with whether there is more now. */
  async makeRoom(): Promise<boolean> {
    return (await this.#next(() => this.#space.makeRoom(0))) === true;
  }

  /** Resolves when nothing waits to be written or removed. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /** Writes what waits; takes no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimers();
    await this.#queue.idle();
  }

  /** Starts nothing more: the directory is about to be another process's. */
  release(): void {
    this.#isClosed = true;
    this.#isReleased = true;
    this.#cancelTimers();
    this.#queue.drop(() => true);
  }

  #isBarred(campaign: string): boolean {
    return this.#areAllBarred || this.#barred.has(campaign) || this.#unlisted.has(campaign);
  }

  async #removeCampaign(campaign: string): Promise<boolean> {
    this.#barred.add(campaign);
    const isDone = await this.#space.removeCampaign(campaign);
    if (isDone) for (const campaigns of [this.#barred, this.#unpurged, this.#unlisted]) campaigns.delete(campaign);
    else this.#unpurged.add(campaign);
    return isDone;
  }

  /** What is there is listed when nothing is being written: a campaign may have been new. */
  async #removeAll(): Promise<boolean> {
    const found = await this.#space.campaigns();
    if (!found) return false;
    for (const campaigns of [this.#barred, this.#unpurged, this.#unlisted]) campaigns.clear();
    let isDone = true;
    for (const campaign of found.campaigns) {
      if (this.#isReleased) return false;
      isDone = (await this.#removeCampaign(campaign)) && isDone;
    }
    this.#areAllBarred = false;
    return isDone;
  }

  async #purgeAgain(): Promise<void> {
    if (this.#areAllBarred) await this.#removeAll();
    else for (const campaign of this.#unpurged) await this.#removeCampaign(campaign);
  }

  #tendLater(): void {
    this.#cancelTending = this.#parts.clock.after(tendEveryMs, () => void this.#tend());
  }

  /** Tries again what has failed, so that it is mended while nobody asks for a page. */
  async #tend(): Promise<void> {
    const { availability, files } = this.#parts;
    await this.#next(async () => {
      await this.#purgeAgain();
      if (!availability.isUp) await this.#space.tryDisk();
    });
    if (this.#areAllUnlisted) await this.#indexAll();
    for (const campaign of this.#unlisted) {
      if (this.#isClosed) return;
      // Not told again each minute.
      const isThere = await files.list(campaign).catch(() => false);
      if (isThere) await this.#index(campaign);
    }
    if (!this.#isClosed) this.#tendLater();
  }

  async #read(campaign: string, path: string, maxBytes: number, isWanted: () => boolean): Promise<Buffer | undefined> {
    const { files, availability, onOperation } = this.#parts;
    if (this.#isBarred(campaign)) return undefined;
    await this.#queue.written(path);
    try {
      const content = await files.read(path, maxBytes, isWanted);
      availability.worked('read');
      onOperation('read', content ? 'ok' : 'missing');
      if (content) this.#space.index.use(path);
      return this.#isBarred(campaign) ? undefined : content;
    } catch (error) {
      if (!(error instanceof NotWanted)) await this.#space.failedByForeign('read', error, path);
      return undefined;
    }
  }

  #unlessUnreadable<T extends object>(content: T | Unreadable | undefined): T | undefined {
    if (typeof content !== 'string') return content;
    this.#parts.onUnreadable(content);
    return undefined;
  }

  async #attempt(paths: PathsOfPage, walk: string, toStore: ToStore | undefined): Promise<void> {
    const { availability, generations, onOperation } = this.#parts;
    if (this.#isReleased) return;
    if (!availability.may('write')) {
      onOperation('write', 'dropped');
      return this.#removeWalkBefore(paths.walk, generations.of(walk));
    }
    try {
      await this.#write(paths, walk, toStore);
    } catch (error) {
      await this.#space.failedByForeign('write', error, paths.page);
    }
  }

  async #write(paths: PathsOfPage, walk: string, toStore: ToStore | undefined): Promise<void> {
    const { generations, keys } = this.#parts;
    await this.#space.forgetRemoved(paths.campaign);
    const state = generations.of(walk);
    const isWalkWritten = state.generation === 0 || this.#space.index.versionOf(paths.walk) === versionOf(state);
    if (!isWalkWritten && !(await this.#writeWalk(paths, state))) return;
    if (!toStore || toStore.stored.generation !== state.generation) return;
    const { stored, until } = toStore;
    const content = writeStored(stored, paths.pageContext, keys());
    const isWritten = await this.#space.put(paths.page, content, until);
    if (isWritten && stored.kind === 'page') this.holds(paths, stored.body);
  }

  /** Returns whether it is written. */
  async #writeWalk({ walk, walkContext }: PathsOfPage, state: WalkState): Promise<boolean> {
    const { keys, clock } = this.#parts;
    const content = writeWalk(state, walkContext, keys());
    let isWritten = false;
    try {
      isWritten = await this.#space.put(walk, content, clock.monotonic() + this.#options.lifeMs, versionOf(state));
      return isWritten;
    } finally {
      if (!isWritten) await this.#removeWalkBefore(walk, state);
    }
  }

  /** Pages of the generation before must not come back after a restart. */
  async #removeWalkBefore(path: string, { generation }: WalkState): Promise<void> {
    const written = this.#space.index.versionOf(path)?.split('/')[0];
    if (written !== String(generation)) await this.#space.remove(path);
  }

  async #indexAll(): Promise<void> {
    const there = await this.#space.campaigns();
    this.#areAllUnlisted = there === undefined;
    let foreign = there?.foreign ?? 0;
    for (const campaign of there?.campaigns ?? []) {
      foreign += await this.#index(campaign);
      if (this.#isClosed) return;
    }
    if (foreign > 0) this.#parts.onForeign(foreign);
    await this.#sweep();
  }

  /** Finds the files of a campaign. Returns how many are not of Sendgate. */
  async #index(campaign: string): Promise<number> {
    const found = await this.#space.indexCampaign(campaign);
    if (!found) {
      this.#unlisted.add(campaign);
      return 1;
    }
    this.#unlisted.delete(campaign);
    // Nothing is being written while this runs: what is not finished was left by an earlier process.
    if (found.useless.length > 0) await this.#next(() => this.#space.removeUseless(found.useless));
    return found.foreign;
  }

  async #sweep(): Promise<void> {
    await this.#next(() => this.#space.sweep());
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#parts.clock.after(sweepEveryMs, () => {
      void this.#sweep();
      this.#sweepLater();
    });
  }

  #cancelTimers(): void {
    this.#cancelSweep();
    this.#cancelTending();
  }

  /** Runs `run` next; nothing after the store is closed, when the directory may be another process's. */
  #next<T>(run: () => Promise<T>): Promise<T | undefined> {
    return this.#queue.next(async () => (this.#isClosed ? undefined : run()));
  }
}
