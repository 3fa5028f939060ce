/**
 * `quota.stateFile`: what is kept over a restart, the day's calls by team and, with v3, the activities that ids mean.
 */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { parseJson } from '../json.ts';
import { isMeantActivity, type MeantActivity, maxKeptIds } from './known-ids.ts';
import { account, type TeamCalls } from './quota/day-shares.ts';

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
  /** The day in it, or all of it, cannot be read; or it cannot be written: that is told once, until it can. */
  unsaved(reason: 'unreadable' | 'unwritable'): void;
  /** So many of the ids in it are none, or too many: they are dropped. */
  idsDropped?(count: number): void;
}

/**
 * The one owner of the file: it is read once, and whatever changes is written with all the rest. Each part is read by itself,
 * so that one which cannot be read costs no other one.
 */
export class StateFile {
  /** What was stored of the day last; undefined where nothing was, or nothing that can be read. */
  readonly storedDay: StoredDay | undefined;
  /** What was stored of ids last, the last used first. */
  readonly storedIds: readonly MeantActivity[];
  readonly #path: string;
  readonly #events: Events;
  #isWritable = true;
  /** The parts as they are written, each made anew only when it changes: the day changes with every call, ids hardly ever. */
  #dayText = '';
  #idsText = '';

  /** @param path empty: nothing is kept */
  constructor(path: string, events: Events) {
    this.#path = path;
    this.#events = events;
    const { day, ids, isDayRead, idsDropped } = path === '' ? nothing : read(path);
    this.storedDay = day;
    this.storedIds = ids;
    if (day) this.#dayText = textOf(day);
    this.#idsText = idsTextOf(ids);
    if (!isDayRead) events.unsaved('unreadable');
    if (idsDropped > 0) events.idsDropped?.(idsDropped);
  }

  /**
   * Written aside and renamed, for the owner alone. Four times a second at most, in a fraction of a millisecond: not worth the
   * ways in which doing it later can fail.
   */
  keepDay(day: StoredDay): void {
    this.#dayText = textOf(day);
    this.#write();
  }

  keepIds(ids: readonly MeantActivity[]): void {
    this.#idsText = idsTextOf(ids);
    this.#write();
  }

  #write(): void {
    if (this.#path === '') return;
    const parts = [this.#dayText, this.#idsText].filter((text) => text !== '');
    try {
      writeFileSync(`${this.#path}.new`, `{${parts.join(',')}}`, { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
      this.#isWritable = true;
    } catch {
      if (this.#isWritable) this.#events.unsaved('unwritable');
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

/** As a part of an object: without its braces. */
function textOf({ day, teams }: StoredDay): string {
  const calls = teams.reduce((sum, team) => sum + team.calls, 0);
  return JSON.stringify({ day, calls, teams }).slice(1, -1);
}

const idsTextOf = (ids: readonly MeantActivity[]) => (ids.length === 0 ? '' : `"ids":${JSON.stringify(ids)}`);
