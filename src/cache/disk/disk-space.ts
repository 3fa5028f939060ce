/**
 * The files of pages, within `storage.maxBytes` and their time. Its methods run one after the other (`WriteQueue`).
 */
import type { Clock } from '../../clock.ts';
import type { Availability, Operation } from '../../storage/availability.ts';
import { codeOf } from '../../storage/files.ts';
import type { FilesInLanes } from '../../storage/lanes.ts';
import { FileIndex } from './file-index.ts';
import { filesOf, findCampaigns, findFiles } from './scan.ts';

export interface DiskSpaceParts {
  readonly files: FilesInLanes;
  readonly clock: Clock;
  readonly availability: Availability;
  readonly onOperation: (operation: Operation | 'remove', outcome: 'ok' | 'missing' | 'failed' | 'dropped') => void;
}

export interface DiskSpaceOptions {
  readonly maxBytes: number;
  /** How long a file is kept at most. */
  readonly lifeMs: number;
}

/** Codes of what stands in the place of a file or a directory: nothing is wrong with the disk. */
const inPlace = new Set(['EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST']);
export const isInPlace = (code: string) => inPlace.has(code);

export class DiskSpace {
  readonly #parts: DiskSpaceParts;
  readonly #options: DiskSpaceOptions;
  readonly index = new FileIndex();

  constructor(parts: DiskSpaceParts, options: DiskSpaceOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /**
   * Writes a file; makes room for it first.
   *
   * @param until when it is to be removed, wall time in milliseconds
   * @param version of a walk
   */
  async put(path: string, content: Buffer, until: number, version?: string): Promise<void> {
    const { files, availability, onOperation } = this.#parts;
    await this.#evict(content.length);
    await files.write(path, content);
    this.index.set(path, content.length, until, version);
    availability.worked('write');
    onOperation('write', 'ok');
  }

  /** Removes a file, and its directory if it was the last. Returns whether it is gone. */
  async remove(path: string): Promise<boolean> {
    const { files, onOperation } = this.#parts;
    this.index.delete(path);
    const isRemoved = await this.try(async () => {
      await files.remove(path);
      await files.removeDirectory(path.split('/')[0] ?? '');
      onOperation('remove', 'ok');
      return true;
    });
    return isRemoved === true;
  }

  /** Removes the files of a campaign. Returns whether all are gone. */
  async removeCampaign(campaign: string): Promise<boolean> {
    const paths = await this.try(() => filesOf(this.#parts.files, campaign));
    for (const path of this.index.of(campaign)) this.index.delete(path);
    return paths !== undefined && this.#removeAll(paths);
  }

  /** Removes files of no use, unless they were written meanwhile. */
  async removeUseless(paths: readonly string[]): Promise<void> {
    await this.#removeAll(paths.filter((path) => !this.index.has(path)));
  }

  /** Removes files whose time is over, and those for which there is no room. */
  async sweep(): Promise<void> {
    await this.#removeAll(this.index.expired(this.#parts.clock.now()));
    await this.#evict(0);
  }

  /** Returns the campaigns that have a directory; undefined if they cannot be read. */
  campaigns(): Promise<Awaited<ReturnType<typeof findCampaigns>> | undefined> {
    return this.try(() => findCampaigns(this.#parts.files));
  }

  /** Takes the files of a campaign into the index. Returns those that are of no use, and how many are not of Sendgate. */
  async find(campaign: string): Promise<{ readonly useless: readonly string[]; readonly foreign: number }> {
    const { clock, files } = this.#parts;
    const { lifeMs } = this.#options;
    const found = await this.try(() => findFiles(files, campaign));
    const latest = clock.now() + lifeMs;
    for (const { path, bytes, modifiedMs } of found?.files ?? []) {
      this.index.found(path, bytes, Math.min(latest, modifiedMs + lifeMs));
    }
    return { useless: found?.useless ?? [], foreign: found?.foreign ?? 0 };
  }

  /** Runs an operation; undefined if it fails. */
  async try<T>(operation: () => Promise<T>): Promise<T | undefined> {
    try {
      return await operation();
    } catch (error) {
      const code = codeOf(error) ?? 'unknown';
      this.#parts.onOperation('remove', 'failed');
      if (!isInPlace(code)) this.#parts.availability.failed('write', code);
      return undefined;
    }
  }

  /** Makes room. */
  async #evict(bytes: number): Promise<void> {
    while (this.index.bytes + bytes > this.#options.maxBytes) {
      const path = this.index.oldest();
      if (path === undefined) return;
      await this.remove(path);
    }
  }

  async #removeAll(paths: readonly string[]): Promise<boolean> {
    let isDone = true;
    for (const path of paths) isDone = (await this.remove(path)) && isDone;
    return isDone;
  }
}
