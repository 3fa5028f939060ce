/**
 * The files of pages, within `storage.maxBytes` and their time. Its methods run one after the other (`WriteQueue`).
 */
import type { Clock } from '../../clock.ts';
import type { Availability, Operation } from '../../storage/availability.ts';
import type { Unreadable } from '../../storage/envelope.ts';
import { codeOf, isFull, NotOurs } from '../../storage/files.ts';
import type { FilesInLanes } from '../../storage/lanes.ts';
import { blockBytes, FileIndex, inBlocks } from './file-index.ts';
import { campaignIn } from './page-paths.ts';
import { filesOf, findCampaigns, findFiles } from './scan.ts';

export interface DiskSpaceParts {
  readonly files: FilesInLanes;
  readonly clock: Clock;
  readonly availability: Availability;
  readonly onOperation: (
    operation: Operation | 'list' | 'remove',
    outcome: 'ok' | 'missing' | 'failed' | 'dropped',
  ) => void;
  /** Called with the reason when a file cannot be used. */
  readonly onUnreadable: (why: Unreadable | 'foreign') => void;
}

export interface DiskSpaceOptions {
  readonly maxBytes: number;
  /** How long a file is kept at most. */
  readonly lifeMs: number;
}

/** Something else is in the place of a file or a directory: nothing is wrong with the disk. */
const foreignCodes = new Set(['EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST']);
/** One file or campaign is another owner's, or the whole directory is denied. */
const deniedCodes = new Set(['EACCES', 'EPERM']);
/** Of no campaign. If it is left, it is a walk without pages, which the next start removes. */
const trial = '0/0000000000000000.walk';

export class DiskSpace {
  readonly #parts: DiskSpaceParts;
  #options: DiskSpaceOptions;
  readonly index = new FileIndex();

  constructor(parts: DiskSpaceParts, options: DiskSpaceOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** A shorter life holds for the files that are there, too: it counts from now. */
  reconfigure(options: DiskSpaceOptions): void {
    this.#options = options;
    this.index.shorten(this.#parts.clock.monotonic() + options.lifeMs);
  }

  /**
   * Writes a file; makes room for it first. Returns whether there was room.
   *
   * @param until when it is to be removed, in monotonic milliseconds
   * @param version of a walk
   */
  async put(path: string, content: Buffer, until: number, version?: string): Promise<boolean> {
    const { files, availability, onOperation } = this.#parts;
    const hasRoom = inBlocks(content.length) <= this.#options.maxBytes && (await this.#evict(inBlocks(content.length)));
    if (hasRoom) {
      await files.write(path, content).catch(async (error: unknown) => {
        if (!isFull(error) || !(await this.makeRoom(content.length))) throw error;
        await files.write(path, content);
      });
      this.index.set(path, content.length, until, version);
      availability.worked('write');
    }
    onOperation('write', hasRoom ? 'ok' : 'dropped');
    return hasRoom;
  }

  /** Removes a file, and its directory if it was the last. Returns whether it is gone. */
  async remove(path: string): Promise<boolean> {
    const { files, onOperation } = this.#parts;
    try {
      await files.remove(path);
      this.index.delete(path);
      onOperation('remove', 'ok');
      const campaign = campaignIn(path);
      if (!this.index.hasCampaign(campaign)) await files.removeDirectory(campaign);
      return true;
    } catch (error) {
      // What is foreign takes no room of ours.
      if (await this.failedByForeign('remove', error, path)) this.index.delete(path);
      return false;
    }
  }

  /** Removes the files of a campaign. Returns whether all are gone. */
  async removeCampaign(campaign: string): Promise<boolean> {
    const paths = await this.#list(campaign, () => filesOf(this.#parts.files, campaign));
    if (!paths) return false;
    const there = new Set(paths);
    for (const path of this.index.of(campaign)) if (!there.has(path)) this.index.delete(path);
    return this.#removeAll(paths);
  }

  /** Forgets the files of a campaign whose directory was removed, such as by an operator. */
  async forgetRemoved(campaign: string): Promise<void> {
    if (!this.index.hasCampaign(campaign) || (await this.#parts.files.stat(campaign))) return;
    for (const path of this.index.of(campaign)) this.index.delete(path);
  }

  /** Removes files of no use, unless they were written meanwhile. */
  async removeUseless(paths: readonly string[]): Promise<void> {
    await this.#removeAll(paths.filter((path) => !this.index.has(path)));
  }

  /** Removes files whose time is over, and those for which there is no room. */
  async sweep(): Promise<void> {
    await this.#removeAll(this.index.expired(this.#parts.clock.monotonic()));
    await this.#evict(0);
  }

  /** Returns the campaigns that have a directory; undefined if they cannot be read. */
  async campaigns(): Promise<Awaited<ReturnType<typeof findCampaigns>> | undefined> {
    const { files, availability, onOperation } = this.#parts;
    try {
      return await findCampaigns(files);
    } catch (error) {
      // Whatever it is, no page can be written.
      onOperation('list', 'failed');
      availability.failed('write', codeOf(error) ?? 'unknown');
      return undefined;
    }
  }

  /** Takes the files of a campaign into the index. Returns those of no use, and how many are foreign; undefined if it cannot be listed. */
  async indexCampaign(
    campaign: string,
  ): Promise<{ readonly useless: readonly string[]; readonly foreign: number } | undefined> {
    const { clock, files } = this.#parts;
    const { lifeMs } = this.#options;
    const found = await this.#list(campaign, () => findFiles(files, campaign));
    const [now, wall] = [clock.monotonic(), clock.now()];
    for (const { path, bytes, modifiedMs } of found?.files ?? []) {
      this.index.found(path, bytes, now + lifeMs - Math.max(0, wall - modifiedMs));
    }
    return found;
  }

  /**
   * Removes what was used longest ago, because the volume is smaller than `storage.maxBytes`: a tenth, so that it is not full again at
   * once, and there is room for the state file. Returns whether that is enough for `bytes`.
   */
  async makeRoom(bytes: number): Promise<boolean> {
    const before = this.index.bytes;
    const enough = Math.max(inBlocks(bytes), before / 10);
    if (before === 0 || before < enough) return false;
    return this.#evictTo(before - enough);
  }

  /** Writes, reads and removes a file, to see whether the disk is in order again. Failures are known already: they change nothing. */
  async tryDisk(): Promise<void> {
    const { files, availability } = this.#parts;
    try {
      await files.write(trial, Buffer.alloc(blockBytes));
      availability.worked('write');
      await files.read(trial, blockBytes);
      availability.worked('read');
      await files.remove(trial);
      await files.removeDirectory(campaignIn(trial));
    } catch {
      // Tried again in a minute.
    }
  }

  /** Reports why an operation has failed. Returns whether something foreign is in its way, which is not the disk's fault. */
  async failedByForeign(operation: Operation | 'list' | 'remove', error: unknown, path: string): Promise<boolean> {
    const { availability, onOperation, onUnreadable } = this.#parts;
    onOperation(operation, 'failed');
    const isForeign = await this.#isForeign(error, path);
    if (isForeign) onUnreadable('foreign');
    else availability.failed(operation === 'read' ? 'read' : 'write', codeOf(error) ?? 'unknown');
    return isForeign;
  }

  /** Where access is denied, the whole directory denies it unless the campaign's own is there and can be seen. */
  async #isForeign(error: unknown, path: string): Promise<boolean> {
    if (error instanceof NotOurs || foreignCodes.has(codeOf(error) ?? '')) return true;
    if (!deniedCodes.has(codeOf(error) ?? '')) return false;
    const campaign = await this.#parts.files.stat(campaignIn(path)).catch(() => undefined);
    return campaign !== undefined;
  }

  /** Lists what is in a campaign's directory; undefined if that fails. */
  async #list<T>(campaign: string, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      await this.failedByForeign('list', error, campaign);
      return undefined;
    }
  }

  /** Makes room within `storage.maxBytes`. */
  #evict(bytes: number): Promise<boolean> {
    return this.#evictTo(this.#options.maxBytes - bytes);
  }

  /** Removes what was used longest ago. Returns false if a file that has to go cannot be removed. */
  async #evictTo(bytes: number): Promise<boolean> {
    while (this.index.bytes > bytes) {
      const path = this.index.oldest();
      if (path === undefined) return false;
      await this.remove(path);
      if (this.index.has(path)) return false;
    }
    return true;
  }

  async #removeAll(paths: readonly string[]): Promise<boolean> {
    let isDone = true;
    for (const path of paths) isDone = (await this.remove(path)) && isDone;
    return isDone;
  }
}
