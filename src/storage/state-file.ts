/**
 * One JSON file that survives a restart (`quota.stateFile`). It is an object, whose members belong to parts: each part has an owner,
 * who knows what is in it.
 */
import { closeSync, openSync, readFileSync, renameSync, statSync, writevSync } from 'node:fs';
import { z } from 'zod';
import { parseJson } from '../model/json.ts';

/** A file that is longer is none of ours: a thousand teams and five thousand ids take half a megabyte. */
const maxBytes = 4 * 1024 * 1024;

type Members = Readonly<Record<string, unknown>>;

/** What the owner of a part knows about it. */
export interface Part<T> {
  /** Names of the file's members that belong to this part alone. */
  readonly members: readonly string[];
  /** @throws when it cannot be read: the part then counts as not stored */
  parse(members: Members): T;
  serialise(value: T): Members;
}

/** A part of the file, as its owner uses it. */
export interface Kept<T> {
  /** As it was stored when the file was read; undefined where it was not, or cannot be read. */
  readonly stored: T | undefined;
  /** Writes it, before this returns. Never throws. */
  keep(value: T): void;
}

export interface StateFileEvents {
  /** The file cannot be read, or a part of it. */
  unreadable(): void;
  /**
   * Reported once, until a write succeeds again.
   *
   * @param code Node's, such as ENOSPC, where there is one
   */
  unwritable(code: string | undefined): void;
  /** A write has succeeded after one that was reported as failed. */
  writable(): void;
}

/** It is read once, and whatever part changes is written with all others. A part that cannot be read costs no other part. */
export class StateFile {
  readonly #path: string;
  readonly #events: StateFileEvents;
  readonly #stored: Members;
  /** Serialised members by the first one's name. Each is made only when it changes: the day does with every call, ids hardly ever. */
  readonly #serialised = new Map<string, Buffer>();
  #isWritable = true;

  /** @param path empty: nothing is read or written */
  constructor(path: string, events: StateFileEvents) {
    this.#path = path;
    this.#events = events;
    this.#stored = path === '' ? {} : this.#read();
    for (const [name, value] of Object.entries(this.#stored)) this.#set([name], { [name]: value });
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
      // What cannot be read is not written again.
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

  #read(): Members {
    try {
      return z.looseObject({}).parse(parseJson(textIn(this.#path)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#events.unreadable();
      return {};
    }
  }

  /**
   * Written aside and renamed, for the owner alone. Four times a second at most, in a seventh of a millisecond, or a third with as
   * many ids as there can be: not worth the ways in which doing it later can fail.
   */
  #write(): void {
    if (this.#path === '') return;
    const parts = [...this.#serialised.values()].flatMap((part, n) => (n === 0 ? [part] : [comma, part]));
    try {
      writeAll(`${this.#path}.new`, [Buffer.from('{'), ...parts, Buffer.from('}')]);
      renameSync(`${this.#path}.new`, this.#path);
      if (!this.#isWritable) this.#events.writable();
      this.#isWritable = true;
    } catch (error) {
      if (this.#isWritable) this.#events.unwritable((error as NodeJS.ErrnoException).code);
      this.#isWritable = false;
    }
  }
}

const comma = Buffer.from(',');

/** @throws Error when it cannot be read, is no file, or too long to be ours */
function textIn(path: string): string {
  const stat = statSync(path);
  if (!stat.isFile() || stat.size > maxBytes) throw new Error('not a file of ours');
  return readFileSync(path, 'utf8');
}

/** @throws Error when it cannot be written, or not all of it */
function writeAll(path: string, parts: readonly Buffer[]): void {
  const file = openSync(path, 'w', 0o600);
  try {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (writevSync(file, parts) < bytes) throw new Error('the disk is full');
  } finally {
    closeSync(file);
  }
}
