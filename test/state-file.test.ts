/**
 * The state file, whose parts have an owner each.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { z } from 'zod';
import { dayPart } from '../src/quota/stored-day.ts';
import { type Part, StateFile, type StateFileOptions } from '../src/storage/state-file.ts';
import { idsPart } from '../src/upstream/kept-ids.ts';
import { settled } from './support/clock.ts';

let folder: string;
let path: string;
let events: string[];
let file: StateFile;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sendgate-state-'));
  path = join(folder, 'state.json');
  events = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

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
  ['longer than any of ours', `{"words":"${'x'.repeat(5_000_000)}"}`],
])('a file that is %s is reported and rewritten', async (_, content) => {
  writeFileSync(path, content);
  const word = open().open(words);
  expect([word.stored, events]).toEqual([undefined, ['unreadable']]);
  word.keep('new');
  expect(await text()).toBe('{"words":"new"}');
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

test('a disk that hangs delays no one, and one write has all that changed meanwhile', async () => {
  const written: string[] = [];
  let answer = () => {};
  const write = (_: string, content: Buffer) => {
    written.push(content.toString());
    return new Promise<void>((resolve) => {
      answer = resolve;
    });
  };
  const word = open(path, { files: { write } }).open(words);
  for (const text of ['a', 'b', 'c']) word.keep(text);
  expect(written).toEqual(['{"words":"a"}']);
  answer();
  await settled();
  expect(written).toEqual(['{"words":"a"}', '{"words":"c"}']);
  answer();
  await file.written();
});
