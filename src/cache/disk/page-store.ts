/**
 * Reads, writes, evicts and purges the files of pages.
 */
import type { Clock } from '../../clock.ts';
import type { Availability, Operation } from '../../storage/availability.ts';
import type { Keys, Unreadable } from '../../storage/envelope.ts';
import { codeOf, NotOurs } from '../../storage/files.ts';
import type { FilesInLanes } from '../../storage/lanes.ts';
import type { Generations, WalkState } from '../generations.ts';
import type { PageRecord } from '../page-record.ts';
import { FileIndex } from './file-index.ts';
import type { PathsOfPage } from './page-paths.ts';
import { filesOf, findCampaigns, findFiles } from './scan.ts';
import { readStored, readWalk, type Stored, type StoredHeader, writeStored, writeWalk } from './stored-page.ts';
import { WriteQueue } from './write-queue.ts';

export interface PageStoreParts {
  readonly files: FilesInLanes;
  readonly clock: Clock;
  readonly generations: Generations;
  readonly availability: Availability;
  /** Returns the encryption keys, the one in use first; none: no encryption. */
  readonly keys: () => Keys;
  /** Called with the reason when a file cannot be used. */
  readonly onUnreadable: (why: Unreadable | 'foreign') => void;
  /** Called once after the start if there are files that are not ours. They stay. */
  readonly onForeign: (files: number) => void;
  readonly onOperation: (operation: Operation | 'remove', outcome: 'ok' | 'missing' | 'failed' | 'dropped') => void;
}

export interface PageStoreOptions {
  readonly maxBytes: number;
  /** Largest file. */
  readonly maxFileBytes: number;
  /** How long a file is kept at most. */
  readonly lifeMs: number;
}

/** A page or refusal to write. */
export interface ToStore {
  readonly header: StoredHeader;
  readonly record: PageRecord | undefined;
  /** When the file is to be removed, wall time in milliseconds. */
  readonly until: number;
}

/** Codes of a write that something in its place prevents: nothing is wrong with the disk. */
const inPlace = new Set(['EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST']);
const sweepEveryMs = 3_600_000;
/** Of the state of a walk. */
const maxWalkBytes = 64 * 1024;

/** Changes with every state of a walk: inside a generation, first pages are only added. */
const versionOf = ({ generation, firstPages }: WalkState) => `${generation}/${firstPages.size}`;

export class PageStore {
  readonly #parts: PageStoreParts;
  /** Apply to what is stored and looked up from now on. */
  options: PageStoreOptions;
  readonly #index = new FileIndex();
  readonly #queue = new WriteQueue();
  /** Campaigns that are being purged, or whose files could not be removed: they are neither read nor written. */
  readonly #barred = new Set<string>();
  #isClosed = false;
  #cancelSweep = () => {};

  constructor(parts: PageStoreParts, options: PageStoreOptions) {
    this.#parts = parts;
    this.options = options;
  }

  get bytes(): number {
    return this.#index.bytes;
  }

  get pages(): number {
    return this.#index.pages;
  }

  /** Finds what there is, in the background. */
  start(): void {
    void this.#find();
    this.#sweepLater();
  }

  /** Returns the state of a walk, if it is stored. Never rejects. */
  async readWalk(paths: PathsOfPage, isWanted: () => boolean): Promise<Omit<WalkState, 'confirmedIn'> | undefined> {
    const file = await this.#read(paths.campaign, paths.walk, maxWalkBytes, isWanted);
    const state = file && readWalk(file, paths.walkContext, this.#parts.keys());
    if (typeof state !== 'string') return state;
    this.#parts.onUnreadable(state);
    return undefined;
  }

  /** Returns a page or refusal, if it is stored. Never rejects. */
  async readPage(paths: PathsOfPage, isWanted: () => boolean): Promise<Stored | undefined> {
    const file = await this.#read(paths.campaign, paths.page, this.options.maxFileBytes, isWanted);
    const stored = file && readStored(file, paths.pageContext, this.#parts.keys());
    if (typeof stored !== 'string') return stored;
    this.#parts.onUnreadable(stored);
    return undefined;
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
    const run = () => this.#attempt(() => this.#write(paths, walk, toStore));
    const isQueued = this.#parts.availability.may('write') && this.#queue.write(path, bytes, run);
    if (!isQueued) this.#parts.onOperation('write', 'dropped');
  }

  /** Removes the files of a campaign. Resolves with whether none are left. */
  async purge(campaign: string): Promise<boolean> {
    this.#barred.add(campaign);
    this.#queue.drop((path) => path.startsWith(`${campaign}/`));
    const isDone = await this.#queue.next(() => this.#removeCampaign(campaign));
    if (isDone) this.#barred.delete(campaign);
    return isDone;
  }

  /** Removes the files of all campaigns. Resolves with whether none are left. */
  async purgeAll(): Promise<boolean> {
    this.#queue.drop(() => true);
    const found = await this.#trying(() => findCampaigns(this.#parts.files));
    const done = await Promise.all((found?.campaigns ?? []).map((campaign) => this.purge(campaign)));
    return found !== undefined && done.every(Boolean);
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
      if (content) this.#index.use(path);
      return this.#barred.has(campaign) ? undefined : content;
    } catch (error) {
      onOperation('read', 'failed');
      const code = codeOf(error) ?? 'unknown';
      // A single file that may not be read has another owner: it is not ours.
      if (error instanceof NotOurs || inPlace.has(code) || code === 'EACCES') onUnreadable('foreign');
      else availability.failed('read', code);
      return undefined;
    }
  }

  async #write(paths: PathsOfPage, walk: string, toStore: ToStore | undefined): Promise<void> {
    const { generations, keys, clock } = this.#parts;
    const state = generations.of(walk);
    const version = versionOf(state);
    if (state.generation > 0 && this.#index.versionOf(paths.walk) !== version) {
      const until = clock.now() + this.options.lifeMs;
      await this.#put(paths.walk, writeWalk(state, paths.walkContext, keys()), until, version);
    }
    if (!toStore || toStore.header.generation !== state.generation) return;
    const content = writeStored(toStore.header, toStore.record, paths.pageContext, keys());
    await this.#put(paths.page, content, toStore.until);
  }

  async #put(path: string, content: Buffer, until: number, version?: string): Promise<void> {
    const { files } = this.#parts;
    await this.#evict(content.length);
    try {
      await files.write(path, content);
    } catch (error) {
      // What stands there is older than what was to be written.
      if (!inPlace.has(codeOf(error) ?? '')) await this.#remove(path);
      throw error;
    }
    this.#index.set(path, content.length, until, version);
    this.#parts.availability.worked('write');
    this.#parts.onOperation('write', 'ok');
  }

  /** Makes room. */
  async #evict(bytes: number): Promise<void> {
    while (this.#index.bytes + bytes > this.options.maxBytes) {
      const path = this.#index.oldest();
      if (path === undefined) return;
      await this.#remove(path);
    }
  }

  /** Removes a file, and its directory if it was the last. */
  async #remove(path: string): Promise<boolean> {
    const { files } = this.#parts;
    this.#index.delete(path);
    const isRemoved = await this.#trying(async () => {
      await files.remove(path);
      await files.removeDirectory(path.split('/')[0] ?? '');
      return true;
    });
    return isRemoved === true;
  }

  async #removeCampaign(campaign: string): Promise<boolean> {
    const paths = await this.#trying(() => filesOf(this.#parts.files, campaign));
    for (const path of this.#index.of(campaign)) this.#index.delete(path);
    return paths !== undefined && this.#removeAll(paths);
  }

  /** Nothing is being written while this runs: what is not finished was left by an earlier process. */
  async #removeUseless(paths: readonly string[]): Promise<void> {
    if (!this.#isClosed) await this.#removeAll(paths.filter((path) => !this.#index.has(path)));
  }

  async #find(): Promise<void> {
    const { files, clock, onForeign } = this.#parts;
    const there = await this.#trying(() => findCampaigns(files));
    let foreign = there?.foreign ?? 0;
    for (const campaign of there?.campaigns ?? []) {
      const found = await this.#trying(() => findFiles(files, campaign));
      if (this.#isClosed) return;
      const latest = clock.now() + this.options.lifeMs;
      for (const { path, bytes, modifiedMs } of found?.files ?? []) {
        this.#index.found(path, bytes, Math.min(latest, modifiedMs + this.options.lifeMs));
      }
      foreign += found?.foreign ?? 0;
      const useless = found?.useless ?? [];
      if (useless.length > 0) await this.#queue.next(() => this.#removeUseless(useless));
    }
    if (foreign > 0) onForeign(foreign);
    await this.#sweep();
  }

  async #sweep(): Promise<void> {
    await this.#queue.next(async () => {
      if (this.#isClosed) return;
      await this.#removeAll(this.#index.expired(this.#parts.clock.now()));
      await this.#evict(0);
    });
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#parts.clock.after(sweepEveryMs, () => {
      void this.#sweep();
      this.#sweepLater();
    });
  }

  /** Returns whether all are removed. */
  async #removeAll(paths: readonly string[]): Promise<boolean> {
    let isDone = true;
    for (const path of paths) isDone = (await this.#remove(path)) && isDone;
    return isDone;
  }

  async #attempt(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      const code = codeOf(error) ?? 'unknown';
      this.#parts.onOperation('write', 'failed');
      if (inPlace.has(code)) this.#parts.onUnreadable('foreign');
      else this.#parts.availability.failed('write', code);
    }
  }

  /** Runs an operation; undefined if it fails. */
  async #trying<T>(operation: () => Promise<T>): Promise<T | undefined> {
    try {
      return await operation();
    } catch (error) {
      const code = codeOf(error) ?? 'unknown';
      this.#parts.onOperation('remove', 'failed');
      if (!inPlace.has(code)) this.#parts.availability.failed('write', code);
      return undefined;
    }
  }
}
