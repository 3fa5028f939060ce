/**
 * The state file, whose parts have an owner each.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { fractionPart, KeptFraction } from '../src/quota/kept-fraction.ts';
import { dayPart } from '../src/quota/stored-day.ts';
import { type Part, StateFile, type StateFileOptions } from '../src/storage/state-file.ts';
import { idsPart } from '../src/upstream/kept-ids.ts';
import { FakeClock, settled } from './support/clock.ts';

let folder: string;
let path: string;
let events: string[];
let file: StateFile;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sendgate-state-'));
  path = join(folder, 'state.json');
  events = [];
});

function open(at = path, options: StateFileOptions = {}): StateFile {
  file = new StateFile(
    at,
    {
      unreadable: () => events.push('unreadable'),
      unwritable: (code) => events.push(`unwritable ${code}`),
      writable: () => events.push('writable'),
    },
    options,
  );
  return file;
}
const ids = idsPart((count) => events.push(`dropped ${count}`));
async function text(): Promise<string> {
  await file.written();
  return readFileSync(path, 'utf8');
}

const numbers: Part<number> = {
  members: ['least', 'most'],
  parse: (members) => z.object({ least: z.int(), most: z.int() }).parse(members).most,
  serialise: (most) => ({ least: 0, most }),
};
const words: Part<string> = {
  members: ['words'],
  parse: ({ words }) => z.string().parse(words),
  serialise: (words) => ({ words }),
};

test('a changed part is written with all others, opened or not', async () => {
  writeFileSync(path, '{"least":0,"most":7,"later":[1]}');
  open();
  const [most, word] = [file.open(numbers), file.open(words)];
  expect([most.stored, word.stored]).toEqual([7, undefined]);
  word.keep('new');
  expect(JSON.parse(await text())).toEqual({ least: 0, most: 7, later: [1], words: 'new' });
  most.keep(8);
  expect(JSON.parse(await text())).toEqual({ least: 0, most: 8, later: [1], words: 'new' });
  expect(events).toEqual([]);
});

test('an unreadable part is reported and dropped, and the others are kept', async () => {
  writeFileSync(path, '{"least":0,"most":"x","words":"old"}');
  open();
  expect(file.open(numbers).stored).toBeUndefined();
  const word = file.open(words);
  expect([word.stored, events]).toEqual(['old', ['unreadable']]);
  word.keep('new');
  expect(await text()).toBe('{"words":"new"}');
});

test.each([
  ['no JSON', 'nonsense'],
  ['no object', '[1]'],
  ['nested too deep to be written again', `{"words":"x","a":${'['.repeat(12_000)}${']'.repeat(12_000)}}`],
  ['longer than any of ours', `{"words":"${'x'.repeat(5_000_000)}"}`],
])('a file that is %s is reported and rewritten', async (_, content) => {
  writeFileSync(path, content);
  const word = open().open(words);
  expect([word.stored, events]).toEqual([undefined, ['unreadable']]);
  word.keep('new');
  expect(await text()).toBe('{"words":"new"}');
});

test.each<[string, (at: string) => void]>([
  ['a link', (at) => symlinkSync('/proc/version', at)],
  ['a named pipe', (at) => void execFileSync('mkfifo', [at])],
])('%s in its place is reported, not read, and replaced', async (_, put) => {
  put(path);
  const word = open().open(words);
  expect([word.stored, events]).toEqual([undefined, ['unreadable']]);
  await word.keep('new');
  expect([await text(), lstatSync(path).isFile()]).toEqual(['{"words":"new"}', true]);
});

test.each<[string, (at: string) => void]>([
  ['a link', (at) => symlinkSync(join(folder, 'victim'), at)],
  ['a named pipe', (at) => void execFileSync('mkfifo', [at])],
  ['half a file', (at) => writeFileSync(at, '{"wor')],
])('%s in the place of the unfinished file is removed, and nothing is written to it', async (_, put) => {
  writeFileSync(join(folder, 'victim'), 'mine');
  put(`${path}.new`);
  await open().open(words).keep('new');
  expect([await text(), lstatSync(path).isFile(), events]).toEqual(['{"words":"new"}', true, []]);
  expect(readFileSync(join(folder, 'victim'), 'utf8')).toBe('mine');
});

test('nothing is written without a path, and a missing file is not an error', async () => {
  open('').open(words).keep('new');
  await file.written();
  expect(open().open(words).stored).toBeUndefined();
  expect([existsSync(path), events]).toEqual([false, []]);
});

test('an unwritable file is reported once, and again when it is writable', async () => {
  const away = join(folder, 'away');
  const word = open(join(away, 'state.json')).open(words);
  for (const text of ['a', 'b']) {
    word.keep(text);
    await file.written();
  }
  expect(events).toEqual(['unwritable ENOENT']);
  mkdirSync(away);
  for (const text of ['c', 'd']) {
    word.keep(text);
    await file.written();
  }
  expect(events).toEqual(['unwritable ENOENT', 'writable']);
});

test('an unwritable file is written within a minute of being writable, though nothing changes', async () => {
  const [away, clock] = [join(folder, 'away'), new FakeClock()];
  void open(join(away, 'state.json'), { clock }).open(words).keep('a');
  await file.written();
  await clock.pass(60_000);
  await file.written();
  expect(events).toEqual(['unwritable ENOENT']);
  mkdirSync(away);
  await clock.pass(60_000);
  await file.written();
  expect([events, file.isWritable]).toEqual([['unwritable ENOENT', 'writable'], true]);
  expect(readFileSync(file.path, 'utf8')).toBe('{"words":"a"}');
  expect(clock.dueWithin(3_600_000)).toBe(0);
});

test('an unwritable file is not tried again by a process that ends', async () => {
  const clock = new FakeClock();
  void open(join(folder, 'away', 'state.json'), { clock })
    .open(words)
    .keep('a');
  await file.written();
  await settled();
  expect(clock.dueWithin(3_600_000)).toBe(1);
  file.close();
  expect(clock.dueWithin(3_600_000)).toBe(0);
});

test('the day and the ids keep the format of every earlier version', async () => {
  const activity = '00000000-0000-0000-0000-000000000001';
  const stored = `{"day":"2026-01-01","calls":3,"teams":[{"team":"a","calls":3,"kept":1.5}],"ids":[["7","${activity}"]]}`;
  writeFileSync(path, stored);
  open();
  const [day, known] = [file.open(dayPart), file.open(ids)];
  expect(day.stored).toEqual({ day: '2026-01-01', teams: [{ team: 'a', calls: 3, kept: 1.5 }] });
  expect(known.stored).toEqual([['7', activity]]);
  if (day.stored) day.keep(day.stored);
  if (known.stored) known.keep(known.stored);
  expect(JSON.parse(await text())).toEqual(JSON.parse(stored));

  // The first version counted no teams.
  writeFileSync(path, '{"day":"2026-01-01","calls":3}');
  expect(open().open(dayPart).stored).toEqual({ day: '2026-01-01', teams: [{ team: '', calls: 3, kept: 0 }] });
  writeFileSync(path, '{"day":"2026-01-01","calls":3,"ids":[["7","x"],"y"]}');
  expect(open().open(ids).stored).toEqual([]);
  expect(events).toEqual(['dropped 2']);
});

describe("an instance's fraction of the quota", () => {
  const seenAt = '2026-01-01T12:00:00.000Z';
  const clock = new FakeClock();
  const later = (hours: number) => new FakeClock(Date.parse(seenAt) + hours * 3_600_000);
  const lastAt = (at: FakeClock) => new KeptFraction(at, open().open(fractionPart)).last;
  const half = { instances: 2, rank: 1 };
  const whole = { instances: 1, rank: 0 };

  test('counts for a week after the others were last seen, also by a clock that was set back', async () => {
    writeFileSync(path, '{"day":"2026-01-01","calls":3}');
    const fraction = new KeptFraction(clock, open().open(fractionPart));
    expect(fraction.last).toMatchObject(whole);
    fraction.seen(half);
    expect(JSON.parse(await text())).toEqual({ day: '2026-01-01', calls: 3, fraction: { ...half, seenAt } });
    for (const hours of [0, 167, -167]) expect(lastAt(later(hours))).toMatchObject(half);
    for (const hours of [169, -169]) expect(lastAt(later(hours))).toMatchObject(whole);
    expect(events).toEqual([]);
  });

  test.each([
    ['{}'],
    ['2'],
    ['{"instances":2,"rank":2,"seenAt":"2026-01-01T12:00:00.000Z"}'],
    ['{"instances":0,"rank":0,"seenAt":"2026-01-01T12:00:00.000Z"}'],
    ['{"instances":1e9,"rank":0,"seenAt":"2026-01-01T12:00:00.000Z"}'],
    ['{"instances":2,"rank":1,"seenAt":"soon"}'],
  ])('that is nonsense is the whole, and costs nothing else: %s', async (nonsense) => {
    writeFileSync(path, `{"day":"2026-01-01","calls":3,"fraction":${nonsense}}`);
    expect(lastAt(clock)).toMatchObject(whole);
    expect([file.open(dayPart).stored?.day, events]).toEqual(['2026-01-01', []]);
  });

  test('is kept at once when it gets smaller, and only after an hour when it gets larger', async () => {
    const running = new FakeClock(clock.now());
    const fraction = new KeptFraction(running, open().open(fractionPart));
    const stored = async () => JSON.parse(await text()).fraction;
    fraction.seen(whole);
    fraction.seen(half);
    expect(await stored()).toMatchObject(half);
    fraction.seen(whole); // The other one restarts.
    expect(await stored()).toMatchObject(half);
    await running.pass(3_600_000);
    fraction.seen(whole);
    expect(await stored()).toMatchObject(whole);
  });
});

test('a file of an earlier version is read if there is none yet, and then no more', async () => {
  const before = join(folder, 'before.json');
  writeFileSync(before, '{"words":"old"}');
  const word = open(path, { before }).open(words);
  expect(word.stored).toBe('old');
  word.keep('new');
  expect(await text()).toBe('{"words":"new"}');
  expect([open(path, { before }).open(words).stored, readFileSync(before, 'utf8')]).toEqual(['new', '{"words":"old"}']);
  expect(events).toEqual([]);
});

/** A disk whose writes end when the test says so. */
class HangingDisk {
  readonly written: string[] = [];
  #answer = () => {};

  write = (_: string, content: Buffer) => {
    this.written.push(content.toString());
    return new Promise<void>((resolve) => {
      this.#answer = resolve;
    });
  };

  async answer(): Promise<void> {
    this.#answer();
    await settled();
  }
}

test('a value is kept when it is written, with all that changed before the write', async () => {
  const disk = new HangingDisk();
  const word = open(path, { files: disk, clock: new FakeClock() }).open(words);
  const kept: string[] = [];
  const keep = (text: string) => word.keep(text).then(() => kept.push(text));
  for (const text of ['a', 'b']) void keep(text);
  await settled();
  for (const text of ['c', 'd']) void keep(text);
  await settled();
  expect([disk.written, kept]).toEqual([['{"words":"b"}'], []]);
  await disk.answer();
  expect([disk.written, kept]).toEqual([
    ['{"words":"b"}', '{"words":"d"}'],
    ['a', 'b'],
  ]);
  await disk.answer();
  expect(kept).toEqual(['a', 'b', 'c', 'd']);
});

test('a disk that hangs is waited for once, for half a second, and reported after five', async () => {
  const [disk, clock] = [new HangingDisk(), new FakeClock()];
  const word = open(path, { files: disk, clock }).open(words);
  const first = word.keep('a');
  await clock.pass(500);
  await first;
  await word.keep('b');
  await clock.pass(4_499);
  expect(events).toEqual([]);
  await clock.pass(1);
  expect([events, file.isWritable]).toEqual([['unwritable slow'], false]);
  await disk.answer();
  expect([events, disk.written.at(-1)]).toEqual([['unwritable slow', 'writable'], '{"words":"b"}']);
  let isKept = false;
  void word.keep('c').then(() => {
    isKept = true;
  });
  await disk.answer();
  expect(isKept).toBe(false);
  await disk.answer();
  expect(isKept).toBe(true);
});

test('a file that is read only, or closed, is not written', async () => {
  writeFileSync(path, '{"words":"old"}');
  const word = open(path, { isReadOnly: true }).open(words);
  await word.keep('new');
  const other = open().open(words);
  file.close();
  await other.keep('new');
  expect([word.stored, await text()]).toEqual(['old', '{"words":"old"}']);
});
