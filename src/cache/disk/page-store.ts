/**
 * Reads, writes and purges the files of pages.
 */
import type { Keys, Unreadable } from '../../storage/envelope.ts';
import { codeOf, NotOurs } from '../../storage/files.ts';
import type { Generations, WalkState } from '../generations.ts';
import type { PageBody } from '../page.ts';
import type { PageRecord } from '../page-record.ts';
import { DiskSpace, type DiskSpaceOptions, type DiskSpaceParts, isInPlace } from './disk-space.ts';
import type { PathsOfPage } from './page-paths.ts';
import { readStored, readWalk, type Stored, type StoredHeader, writeStored, writeWalk } from './stored-page.ts';
import { WriteQueue } from './write-queue.ts';

export interface PageStoreParts extends DiskSpaceParts {
  readonly generations: Generations;
  /** Returns the encryption keys, the one in use first; none: no encryption. */
  readonly keys: () => Keys;
  /** Called with the reason when a file cannot be used. */
  readonly onUnreadable: (why: Unreadable | 'foreign') => void;
  /** Called once after the start if there are files that are not of Sendgate. They stay. */
  readonly onForeign: (files: number) => void;
}

export interface PageStoreOptions extends DiskSpaceOptions {
  /** Largest file. */
  readonly maxFileBytes: number;
}

/** A page or refusal to write. */
export interface ToStore {
  readonly header: StoredHeader;
  readonly record: PageRecord | undefined;
  /** When the file is to be removed, wall time in milliseconds. */
  readonly until: number;
}

const sweepEveryMs = 3_600_000;
/** Of the state of a walk. */
const maxWalkBytes = 64 * 1024;

/** Changes with every state of a walk: inside a generation, first pages are only added. */
const versionOf = ({ generation, firstPages }: Pick<WalkState, 'generation' | 'firstPages'>) =>
  `${generation}/${firstPages.size}`;

export class PageStore {
  readonly #parts: PageStoreParts;
  readonly #options: PageStoreOptions;
  readonly #space: DiskSpace;
  readonly #queue = new WriteQueue();
  /** Campaigns that are being purged, or whose files could not be removed: they are neither read nor written. */
  readonly #barred = new Set<string>();
  #isClosed = false;
  #cancelSweep = () => {};

  constructor(parts: PageStoreParts, options: PageStoreOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#space = new DiskSpace(parts, options);
  }

  get bytes(): number {
    return this.#space.index.bytes;
  }

  get pages(): number {
    return this.#space.index.pages;
  }

  /** Finds what there is, in the background. */
  start(): void {
    void this.#find();
    this.#sweepLater();
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
    if (this.#isClosed || this.#barred.has(paths.campaign)) return;
    const path = toStore ? paths.page : paths.walk;
    const bytes = toStore?.record?.body.br.length ?? 0;
    const run = () => this.#attempt(paths, walk, toStore);
    if (!this.#queue.write(path, bytes, run)) this.#parts.onOperation('write', 'dropped');
  }

  /** Removes the files of a campaign. Resolves with whether none are left. */
  async purge(campaign: string): Promise<boolean> {
    this.#barred.add(campaign);
    this.#queue.drop((path) => path.startsWith(`${campaign}/`));
    const isDone = await this.#queue.next(() => this.#space.removeCampaign(campaign));
    if (isDone) this.#barred.delete(campaign);
    return isDone;
  }

  /** Removes the files of all campaigns. Resolves with whether none are left. */
  async purgeAll(): Promise<boolean> {
    this.#queue.drop(() => true);
    const found = await this.#space.campaigns();
    const done = await Promise.all((found?.campaigns ?? []).map((campaign) => this.purge(campaign)));
    return found !== undefined && done.every(Boolean);
  }

  /** Resolves when nothing waits to be written or removed. */
  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /** Writes what waits; takes no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelSweep();
    await this.#queue.idle();
  }

  async #read(campaign: string, path: string, maxBytes: number, isWanted: () => boolean): Promise<Buffer | undefined> {
    const { files, availability, onOperation, onUnreadable } = this.#parts;
    if (this.#barred.has(campaign)) return undefined;
    if (this.#queue.has(path)) await this.#queue.idle();
    try {
      const content = await files.read(path, maxBytes, isWanted);
      availability.worked('read');
      onOperation('read', content ? 'ok' : 'missing');
      if (content) this.#space.index.use(path);
      return this.#barred.has(campaign) ? undefined : content;
    } catch (error) {
      onOperation('read', 'failed');
      const code = codeOf(error) ?? 'unknown';
      // A single file that may not be read has another owner: it is not of Sendgate.
      if (error instanceof NotOurs || isInPlace(code) || code === 'EACCES') onUnreadable('foreign');
      else availability.failed('read', code);
      return undefined;
    }
  }

  #unlessUnreadable<T extends object>(content: T | Unreadable | undefined): T | undefined {
    if (typeof content !== 'string') return content;
    this.#parts.onUnreadable(content);
    return undefined;
  }

  async #attempt(paths: PathsOfPage, walk: string, toStore: ToStore | undefined): Promise<void> {
    const { availability, generations, onOperation, onUnreadable } = this.#parts;
    if (!availability.may('write')) {
      onOperation('write', 'dropped');
      return this.#removeWalkBefore(paths.walk, generations.of(walk));
    }
    try {
      await this.#write(paths, walk, toStore);
    } catch (error) {
      const code = codeOf(error) ?? 'unknown';
      onOperation('write', 'failed');
      if (isInPlace(code)) onUnreadable('foreign');
      else availability.failed('write', code);
    }
  }

  async #write(paths: PathsOfPage, walk: string, toStore: ToStore | undefined): Promise<void> {
    const { generations, keys } = this.#parts;
    const state = generations.of(walk);
    if (state.generation > 0 && this.#space.index.versionOf(paths.walk) !== versionOf(state)) {
      await this.#writeWalk(paths, state);
    }
    if (!toStore || toStore.header.generation !== state.generation) return;
    const content = writeStored(toStore.header, toStore.record, paths.pageContext, keys());
    await this.#space.put(paths.page, content, toStore.until);
    if (toStore.record) this.holds(paths, toStore.record.body);
  }

  async #writeWalk({ walk, walkContext }: PathsOfPage, state: WalkState): Promise<void> {
    const { keys, clock } = this.#parts;
    const content = writeWalk(state, walkContext, keys());
    try {
      await this.#space.put(walk, content, clock.now() + this.#options.lifeMs, versionOf(state));
    } catch (error) {
      await this.#removeWalkBefore(walk, state);
      throw error;
    }
  }

  /** Pages of the generation before must not come back after a restart. */
  async #removeWalkBefore(path: string, { generation }: WalkState): Promise<void> {
    const written = this.#space.index.versionOf(path)?.split('/')[0];
    if (written !== String(generation)) await this.#space.remove(path);
  }

  async #find(): Promise<void> {
    const there = await this.#space.campaigns();
    let foreign = there?.foreign ?? 0;
    for (const campaign of there?.campaigns ?? []) {
      const found = await this.#space.find(campaign);
      foreign += found.foreign;
      // Nothing is being written while this runs: what is not finished was left by an earlier process.
      if (found.useless.length > 0) await this.#next(() => this.#space.removeUseless(found.useless));
      if (this.#isClosed) return;
    }
    if (foreign > 0) this.#parts.onForeign(foreign);
    await this.#sweep();
  }

  #sweep(): Promise<void> {
    return this.#next(() => this.#space.sweep());
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#parts.clock.after(sweepEveryMs, () => {
      void this.#sweep();
      this.#sweepLater();
    });
  }

  /** Runs `run` next, unless the directory is already another process's. */
  #next(run: () => Promise<void>): Promise<void> {
    return this.#queue.next(async () => {
      if (!this.#isClosed) await run();
    });
  }
}
