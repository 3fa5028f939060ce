/**
 * `quota.stateFile`: what is kept over a restart, the day's calls by team and, with v3, the activities that ids mean.
 */
import { closeSync, openSync, readFileSync, renameSync, statSync, writevSync } from 'node:fs';
import { z } from 'zod';
import { parseJson } from '../model/json.ts';
import { isMeantActivity, type MeantActivity, maxKeptIds } from '../model/meant-activity.ts';
import { account, type TeamCalls } from '../quota/day-shares.ts';

const calls = z.int().nonnegative();
const storedDay = z.object({
  day: z.iso.date(),
  calls,
  teams: z
    .array(z.object({ team: z.string().max(64), calls, kept: z.number().nonnegative() }))
    .max(1_000)
    .default([]),
});

/** A file that is longer is none of ours: a thousand teams and five thousand ids take half a megabyte. */
const maxBytes = 4 * 1024 * 1024;

export interface StoredDay {
  /** Such as 2026-01-31, in UTC. */
  readonly day: string;
  readonly teams: readonly TeamCalls[];
}

interface Events {
  /**
   * `unreadable`: the day in it, or all of it. `unwritable`: reported once, until a write succeeds again.
   *
   * @param code Node's, such as ENOSPC, where there is one
   */
  unsaved(reason: 'unreadable' | 'unwritable', code?: string): void;
  /** A write has succeeded after one that was reported as failed. */
  saved?(): void;
  /** Ids in it were dropped: they are not valid, or more than are kept. */
  idsDropped?(count: number): void;
}

/**
 * The one owner of the file: it is read once, and whatever changes is written with all the rest. Each part is read by itself,
 * so that one which cannot be read costs no other one.
 */
export class StateFile {
  /** The day as it was stored last; undefined where none was, or it cannot be read. */
  readonly storedDay: StoredDay | undefined;
  /** The ids as they were stored last, most recently used first. */
  readonly storedIds: readonly MeantActivity[];
  readonly #path: string;
  readonly #events: Events;
  #isWritable = true;
  /** The parts as they are written, each made anew only when it changes: the day changes with every call, ids hardly ever. */
  #day = noPart;
  #ids = noPart;

  /** @param path empty: nothing is kept */
  constructor(path: string, events: Events) {
    this.#path = path;
    this.#events = events;
    const { day, ids, isDayRead, idsDropped } = path === '' ? nothing : read(path);
    this.storedDay = day;
    this.storedIds = ids;
    if (day) this.#day = dayPart(day);
    this.#ids = idsPart(ids);
    if (!isDayRead) events.unsaved('unreadable');
    if (idsDropped > 0) events.idsDropped?.(idsDropped);
  }

  /**
   * Written aside and renamed, for the owner alone. Four times a second at most, in a seventh of a millisecond, or a third with as
   * many ids as there can be: not worth the ways in which doing it later can fail.
   */
  keepDay(day: StoredDay): void {
    this.#day = dayPart(day);
    this.#write();
  }

  keepIds(ids: readonly MeantActivity[]): void {
    this.#ids = idsPart(ids);
    this.#write();
  }

  #write(): void {
    if (this.#path === '') return;
    const comma = Buffer.from(this.#day.length > 0 && this.#ids.length > 0 ? ',' : '');
    try {
      writeAll(`${this.#path}.new`, [Buffer.from('{'), this.#day, comma, this.#ids, Buffer.from('}')]);
      renameSync(`${this.#path}.new`, this.#path);
      if (!this.#isWritable) this.#events.saved?.();
      this.#isWritable = true;
    } catch (error) {
      if (this.#isWritable) this.#events.unsaved('unwritable', (error as NodeJS.ErrnoException).code);
      this.#isWritable = false;
    }
  }
}

interface Stored {
  readonly day: StoredDay | undefined;
  readonly ids: readonly MeantActivity[];
  readonly isDayRead: boolean;
  readonly idsDropped: number;
}

const nothing: Stored = { day: undefined, ids: [], isDayRead: true, idsDropped: 0 };

function read(path: string): Stored {
  try {
    const { ids = [], ...rest } = z.looseObject({}).parse(parseJson(textIn(path)));
    const day = Object.keys(rest).length === 0 ? undefined : storedDay.safeParse(rest);
    const all: readonly unknown[] = Array.isArray(ids) ? ids : [ids];
    const valid = all.slice(0, maxKeptIds).filter(isMeantActivity);
    return {
      ...{ day: day?.data && dayOf(day.data), isDayRead: day?.success !== false },
      ...{ ids: valid, idsDropped: all.length - valid.length },
    };
  } catch (error) {
    return { ...nothing, isDayRead: (error as NodeJS.ErrnoException).code === 'ENOENT' };
  }
}

/** @throws Error when it cannot be read, is no file, or too long to be ours */
function textIn(path: string): string {
  const stat = statSync(path);
  if (!stat.isFile() || stat.size > maxBytes) throw new Error('not a file of ours');
  return readFileSync(path, 'utf8');
}

/** Calls that a version without teams has counted are the account's. */
function dayOf({ day, calls, teams }: z.output<typeof storedDay>): StoredDay {
  const rest = calls - teams.reduce((sum, team) => sum + team.calls, 0);
  return { day, teams: rest > 0 ? [...teams, { team: account, calls: rest, kept: 0 }] : teams };
}

const noPart: Buffer = Buffer.alloc(0);

/** As a part of an object: without its braces. */
function dayPart({ day, teams }: StoredDay): Buffer {
  const calls = teams.reduce((sum, team) => sum + team.calls, 0);
  return Buffer.from(JSON.stringify({ day, calls, teams }).slice(1, -1));
}

const idsPart = (ids: readonly MeantActivity[]) =>
  ids.length === 0 ? noPart : Buffer.from(`"ids":${JSON.stringify(ids)}`);

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
