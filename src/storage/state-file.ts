/**
 * One JSON file that survives a restart (in `storage.directory`): an object whose members belong to parts, each with an owner that
 * parses it.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { parseJson } from '../model/json.ts';
import { codeOf, type Files, FilesOnDisk } from './files.ts';

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
  /** Writes the value at once, in the background. Never throws. */
  keep(value: T): void;
}

export interface StateFileEvents {
  /** The file or a part of it is unreadable. */
  unreadable(): void;
  /**
   * A write failed. Reported once until a write succeeds again.
   *
   * @param code Node's error code, such as ENOSPC, if there is one
   */
  unwritable(code: string | undefined): void;
  /** A write succeeded after a reported failure. */
  writable(): void;
}

export interface StateFileOptions {
  /** File of an earlier version, read instead if there is none yet. */
  readonly before?: string;
  /** Access to the directory that holds the file. */
  readonly files?: Pick<Files, 'write'>;
}

/**
 * Reads the file once, and rewrites it whole when a part changes. An unreadable part does not affect the others.
 *
 * Writes are asynchronous: a disk that hangs must not stop the process. One runs at a time and the next has all that changed meanwhile,
 * so a process that is killed loses what the last millisecond has changed.
 */
export class StateFile {
  /** Empty for none. */
  readonly path: string;
  readonly #events: StateFileEvents;
  readonly #files: Pick<Files, 'write'>;
  readonly #stored: Members;
  /** Serialised parts by first member name. Each is serialised only when it changes: the day with every call, ids rarely. */
  readonly #serialised = new Map<string, Buffer>();
  #isWritable = true;
  #isChanged = false;
  #writing: Promise<void> | undefined;

  /** @param path if empty, nothing is read or written */
  constructor(path: string, events: StateFileEvents, { before = '', files }: StateFileOptions = {}) {
    this.path = path;
    this.#events = events;
    this.#files = files ?? new FilesOnDisk(dirname(path));
    this.#stored = path === '' ? {} : this.#read(before !== '' && !existsSync(path) ? before : path);
    for (const [name, value] of Object.entries(this.#stored)) this.#set([name], { [name]: value });
  }

  /** Resolves when everything is written, or could not be. */
  async written(): Promise<void> {
    while (this.#writing) await this.#writing;
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
        this.#write();
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
      return z.looseObject({}).parse(parseJson(textIn(path)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#events.unreadable();
      return {};
    }
  }

  #write(): void {
    if (this.path === '') return;
    this.#isChanged = true;
    this.#writing ??= this.#writeChanges();
  }

  async #writeChanges(): Promise<void> {
    while (this.#isChanged) {
      this.#isChanged = false;
      const parts = [...this.#serialised.values()].flatMap((part, n) => (n === 0 ? [part] : [comma, part]));
      try {
        await this.#files.write(basename(this.path), Buffer.concat([Buffer.from('{'), ...parts, Buffer.from('}')]));
        if (!this.#isWritable) this.#events.writable();
        this.#isWritable = true;
      } catch (error) {
        if (this.#isWritable) this.#events.unwritable(codeOf(error));
        this.#isWritable = false;
      }
    }
    this.#writing = undefined;
  }
}

const comma = Buffer.from(',');

/** @throws Error if it is unreadable, not a file, or too long */
function textIn(path: string): string {
  const stat = statSync(path);
  if (!stat.isFile() || stat.size > maxBytes) throw new Error('not a state file');
  return readFileSync(path, 'utf8');
}
