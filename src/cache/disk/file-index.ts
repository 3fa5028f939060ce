/**
 * Which files there are, how large they are and in which order they were used. In memory only: built at start from the folder.
 */
import { campaignIn, isWalkFile, walkFileOf } from './page-paths.ts';

/** Disks store in blocks. */
export const blockBytes = 4096;
export const inBlocks = (bytes: number) => Math.ceil(bytes / blockBytes) * blockBytes;

interface Indexed {
  readonly bytes: number;
  /** When the file is to be removed, used or not: monotonic, so that no clock that is set removes it. */
  readonly until: number;
  /** Of a walk: the version that is written. */
  readonly version?: string | undefined;
  /** Of a page: what memory holds of it, as long as it does. */
  readonly body?: WeakRef<object> | undefined;
}

/** Most files that are passed over at a time because memory holds their pages. */
const maxPassedOver = 32;

export class FileIndex {
  /** Not used since the start; sorted when the first one is to be evicted. */
  #unused = new Map<string, Indexed>();
  #isSorted = true;
  /** Last used last. A walk is used whenever one of its pages is: it goes after all of them. */
  readonly #used = new Map<string, Indexed>();
  readonly #byCampaign = new Map<string, Set<string>>();
  #bytes = 0;
  #pages = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Pages and refusals. */
  get pages(): number {
    return this.#pages;
  }

  has(path: string): boolean {
    return this.#get(path) !== undefined;
  }

  /** Returns the version of a walk that is written; undefined if it is unknown. */
  versionOf(path: string): string | undefined {
    return this.#get(path)?.version;
  }

  /** Records which version of a walk is written. */
  setVersion(path: string, version: string): void {
    this.#change(path, { version });
  }

  /** Records what memory holds of a page. */
  setBody(path: string, body: object): void {
    this.#change(path, { body: new WeakRef(body) });
  }

  /** Records a file that was just written. */
  set(path: string, bytes: number, until: number, version?: string): void {
    this.delete(path);
    this.#add(this.#used, path, bytes, until, version);
    this.#move(walkFileOf(path), until);
  }

  /** Counts a file as used, and its walk. */
  use(path: string): void {
    this.#move(path, 0);
    this.#move(walkFileOf(path), 0);
  }

  /** Records a file that was found at start, unless it has been used since. */
  found(path: string, bytes: number, until: number): void {
    if (this.has(path)) return;
    this.#add(this.#unused, path, bytes, until, undefined);
    this.#isSorted = false;
  }

  delete(path: string): void {
    const indexed = this.#get(path);
    if (!indexed) return;
    this.#unused.delete(path);
    this.#used.delete(path);
    const campaign = campaignIn(path);
    const others = this.#byCampaign.get(campaign);
    others?.delete(path);
    if (others?.size === 0) this.#byCampaign.delete(campaign);
    this.#bytes -= indexed.bytes;
    if (!isWalkFile(path)) this.#pages--;
  }

  /** Returns the file that was used longest ago. */
  oldest(): string | undefined {
    if (!this.#isSorted) {
      // Stable: a walk is found after its pages, and is as old as the newest of them.
      this.#unused = new Map([...this.#unused].sort(([, a], [, b]) => a.until - b.until));
      this.#isSorted = true;
    }
    for (let passedOver = 0; passedOver < maxPassedOver; passedOver++) {
      const [path, indexed] = this.#first();
      // Hits do not come here: a page that memory holds counts as used.
      if (path === undefined || indexed?.body?.deref() === undefined) return path;
      this.use(path);
    }
    return this.#first()[0];
  }

  /** Lets no file live longer than until then. */
  shorten(latest: number): void {
    for (const files of [this.#unused, this.#used]) {
      for (const [path, indexed] of files) if (indexed.until > latest) files.set(path, { ...indexed, until: latest });
    }
  }

  /** Returns the files whose time is over. */
  expired(now: number): string[] {
    const paths: string[] = [];
    for (const files of [this.#unused, this.#used]) {
      for (const [path, { until }] of files) if (until <= now) paths.push(path);
    }
    return paths;
  }

  hasCampaign(campaign: string): boolean {
    return this.#byCampaign.has(campaign);
  }

  /** Returns the files of a campaign. */
  of(campaign: string): string[] {
    return [...(this.#byCampaign.get(campaign) ?? [])];
  }

  #first(): [string, Indexed] | [undefined, undefined] {
    return this.#unused.entries().next().value ?? this.#used.entries().next().value ?? [undefined, undefined];
  }

  #change(path: string, change: Partial<Indexed>): void {
    for (const files of [this.#unused, this.#used]) {
      const indexed = files.get(path);
      if (indexed) files.set(path, { ...indexed, ...change });
    }
  }

  #get(path: string): Indexed | undefined {
    return this.#used.get(path) ?? this.#unused.get(path);
  }

  #add(files: Map<string, Indexed>, path: string, bytes: number, until: number, version: string | undefined): void {
    const blocks = inBlocks(bytes);
    files.set(path, { bytes: blocks, until, version });
    const campaign = campaignIn(path);
    const others = this.#byCampaign.get(campaign);
    if (others) others.add(path);
    else this.#byCampaign.set(campaign, new Set([path]));
    this.#bytes += blocks;
    if (!isWalkFile(path)) this.#pages++;
  }

  /** Moves a file behind all others, and lets it live until then at least. */
  #move(path: string | undefined, until: number): void {
    const indexed = path === undefined ? undefined : this.#get(path);
    if (path === undefined || !indexed) return;
    this.#unused.delete(path);
    this.#used.delete(path);
    this.#used.set(path, { ...indexed, until: Math.max(indexed.until, until) });
  }
}
