/**
 * One JSON file that survives a restart (in `storage.directory`): an object whose members belong to parts, each with an owner that
 * parses it.
 */
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { answersWithin, type Clock, systemClock } from '../clock.ts';
import { parseJson } from '../model/json.ts';
import { codeOf, type Files, FilesOnDisk, isFull, readFlags } from './files.ts';
import { answerLimitMs } from './lanes.ts';

/** Largest plausible file: a thousand teams and five thousand ids take half a megabyte. */
const maxBytes = 4 * 1024 * 1024;

type Members = Readonly<Record<string, unknown>>;

/** How a part is parsed and serialised. */
export interface Part<T> {
  /** Members of the file that belong to this part. */
  readonly members: readonly string[];
  /** @throws if unreadable; the part then counts as not stored */
  parse(members: Members): T;
  serialise(value: T): Members;
}

/** A part as its owner uses it. */
export interface Kept<T> {
  /** The value read at start; undefined if absent or unreadable. */
  readonly stored: T | undefined;
  /**
   * Writes the value in the background. Never throws.
   *
   * @returns resolves when it is written or cannot be, or after half a second; at once while the disk does not answer
   */
  keep(value: T): Promise<void>;
}

export interface StateFileEvents {
  /** The file or a part of it is unreadable. */
  unreadable(): void;
  /**
   * A write failed. Reported once until a write succeeds again.
   *
   * @param code Node's error code, such as ENOSPC, if there is one; `slow` if the disk has not answered for five seconds
   */
  unwritable(code: string | undefined): void;
  /** A write succeeded after a reported failure. */
  writable(): void;
}

export interface StateFileOptions {
  /** File of an earlier version, read instead if there is none yet. */
  readonly before?: string;
  /** Whether nothing is written, because the directory is not this process's. */
  readonly isReadOnly?: boolean;
  /** Access to the directory that holds the file. */
  readonly files?: Pick<Files, 'write'>;
  readonly clock?: Clock;
  /** Makes room for the file. Resolves with whether there is more now. */
  readonly makeRoom?: () => Promise<boolean>;
}

/** After which a write that does not end is reported. */
const slowMs = 5_000;
const retryEveryMs = 60_000;

/**
 * Reads the file once, and rewrites it whole when a part changes. An unreadable part does not affect the others.
 *
 * Writes are asynchronous: a disk that hangs must not stop the process. One runs at a time, and the next has all that changed
 * meanwhile. What must not be lost waits until it is written.
 */
export class StateFile {
  /** Empty for none. */
  readonly path: string;
  readonly #events: StateFileEvents;
  readonly #files: Pick<Files, 'write'>;
  readonly #clock: Clock;
  readonly #makeRoom: () => Promise<boolean>;
  readonly #stored: Members;
  /** Serialised parts by first member name. Each is serialised only when it changes: the day with every call, ids rarely. */
  readonly #serialised = new Map<string, Buffer>();
  #isWritable = true;
  /** Whether nothing is written any more. */
  #isClosed: boolean;
  /** Whether the write that runs takes longer than anyone waits. */
  #isSlow = false;
  /** The last write: it runs, has ended, or waits for the one before it. */
  #last = Promise.resolve();
  #waiting: Promise<void> | undefined;
  #cancelRetry = () => {};

  /** @param path if empty, nothing is read or written */
  constructor(path: string, events: StateFileEvents, options: StateFileOptions = {}) {
    const { before = '', isReadOnly = false, files = new FilesOnDisk(dirname(path)), clock = systemClock } = options;
    this.#makeRoom = options.makeRoom ?? (() => Promise.resolve(false));
    this.path = path;
    this.#events = events;
    this.#files = files;
    this.#clock = clock;
    this.#isClosed = isReadOnly || path === '';
    this.#stored = path === '' ? {} : this.#read(before !== '' && !existsSync(path) ? before : path);
    for (const [name, value] of Object.entries(this.#stored)) this.#set([name], { [name]: value });
  }

  /** Whether the last write succeeded. */
  get isWritable(): boolean {
    return this.#isWritable;
  }

  /** Resolves when everything is written, or could not be. */
  async written(): Promise<void> {
    for (let last: unknown; last !== this.#last; ) {
      last = this.#last;
      await last;
    }
  }

  /** Starts no further write. */
  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
  }

  open<T>({ members, parse, serialise }: Part<T>): Kept<T> {
    const own = Object.entries(this.#stored).filter(([name]) => members.includes(name));
    let stored: T | undefined;
    if (own.length > 0) {
      try {
        stored = parse(Object.fromEntries(own));
      } catch {
        this.#events.unreadable();
      }
      // Drops an unreadable part from the file.
      this.#set(members, stored === undefined ? {} : serialise(stored));
    }
    return {
      stored,
      keep: (value) => {
        this.#set(members, serialise(value));
        return this.#writtenSoon(this.#write());
      },
    };
  }

  #set(names: readonly string[], members: Members): void {
    for (const name of names) this.#serialised.delete(name);
    const text = JSON.stringify(members).slice(1, -1);
    if (text !== '') this.#serialised.set(names[0] ?? '', Buffer.from(text));
  }

  #read(path: string): Members {
    try {
      const members = z.looseObject({}).parse(parseJson(textIn(path)));
      JSON.stringify(members); // What is nested too deep to be written again is not of Sendgate.
      return members;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#events.unreadable();
      return {};
    }
  }

  async #writtenSoon(written: Promise<void>): Promise<void> {
    if (this.#isSlow) return;
    const isWritten = await answersWithin(this.#clock, answerLimitMs, written);
    if (!isWritten) this.#isSlow = true;
  }

  /** Writes what has changed, after the write that runs. What changes until then is written with it. */
  #write(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#waiting ??= this.#last.then(() => {
      this.#waiting = undefined;
      return this.#writeAll();
    });
    this.#last = this.#waiting;
    return this.#waiting;
  }

  async #writeAll(): Promise<void> {
    if (this.#isClosed) return;
    const parts = [...this.#serialised.values()].flatMap((part, n) => (n === 0 ? [part] : [comma, part]));
    this.#cancelRetry();
    const cancel = this.#clock.after(slowMs, () => this.#failed('slow'));
    try {
      const content = Buffer.concat([Buffer.from('{'), ...parts, Buffer.from('}')]);
      await this.#writeOnce(content).catch(async (error: unknown) => {
        if (!isFull(error) || !(await this.#makeRoom())) throw error;
        await this.#writeOnce(content);
      });
      if (!this.#isWritable) this.#events.writable();
      this.#isWritable = true;
    } catch (error) {
      this.#failed(codeOf(error));
      // What must not be lost may be the last that changes for hours.
      if (!this.#isClosed) this.#cancelRetry = this.#clock.after(retryEveryMs, () => void this.#write());
    } finally {
      cancel();
      this.#isSlow = false;
    }
  }

  #writeOnce(content: Buffer): Promise<void> {
    return this.#files.write(basename(this.path), content);
  }

  #failed(code: string | undefined): void {
    if (this.#isWritable) this.#events.unwritable(code);
    this.#isWritable = false;
  }
}

const comma = Buffer.from(',');

/** @throws Error if it is unreadable, not a file, or too long */
function textIn(path: string): string {
  const file = openSync(path, readFlags);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > maxBytes) throw new Error('not a state file');
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}
