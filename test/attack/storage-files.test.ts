/**
 * Whatever happens to the files of pages: what cannot be read is a page that is not there, and never a wrong one.
 */

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { SecondLevelReply } from '../../src/cache/second-level.ts';
import { ForwardClock, settled } from '../support/clock.ts';
import { type Disk, find, firstPageOf, keyOf, laterPageOf, openDisk, storePage, wanted } from '../support/disk.ts';
import { until } from '../support/harness.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

let folder: string;
let clock: ForwardClock;
let disk: Disk;
const open: Disk[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sendgate-files-'));
  clock = new ForwardClock();
  start();
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.store.close();
});

function start(options: Parameters<typeof openDisk>[2] = {}): void {
  disk = openDisk(folder, clock, options);
  open.push(disk);
}

async function restart(options: Parameters<typeof openDisk>[2] = {}): Promise<void> {
  await disk.store.close();
  start(options);
}

async function store(of = firstPageOf('1'), text = 'rows of people'): Promise<void> {
  await storePage(disk, of, text, clock);
  await disk.store.idle();
}
/** The files of a campaign, with their paths. */
const filesOf = (campaign: string, isOne = (_: string) => true) =>
  readdirSync(join(disk.pages, campaign))
    .filter(isOne)
    .map((name) => join(disk.pages, campaign, name));
const pageFile = () => filesOf('1', (name) => !name.endsWith('.walk'))[0] ?? '';
const walkFile = () => filesOf('1', (name) => name.endsWith('.walk'))[0] ?? '';

describe.each([
  ['plain', []],
  ['sealed', [keyOf(1)]],
])('A page on the disk, %s,', (_, keys) => {
  beforeEach(async () => {
    await restart({ keys });
    await store();
    await restart({ keys });
  });

  test('is there', async () => {
    expect(await find(disk, firstPageOf('1'))).toBe('page rows of people');
    expect(disk.told).toEqual([]);
  });

  test('names nobody in the file of its walk', () => {
    expect(readFileSync(walkFile(), 'latin1')).not.toContain('rows');
  });

  test.each([
    ['page', pageFile],
    ['walk', walkFile],
  ])('is whole or not there, wherever the file of the %s is cut off', async (what, file) => {
    const whole = readFileSync(file());
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(file(), whole.subarray(0, length));
      await restart({ keys });
      expect(await find(disk, firstPageOf('1'))).toBe(what === 'page' ? 'lease' : 'fallback rows of people');
      expect(disk.told).toEqual([expect.stringMatching(/^unreadable (damaged|unknown-key|other-version)$/)]);
    }
  });

  test.each([
    ['page', pageFile],
    ['walk', walkFile],
  ])('is right or not there, whichever bit of the file of the %s flips', async (what, file) => {
    const whole = readFileSync(file());
    for (let at = 0; at < whole.length; at++) {
      const flipped = Buffer.from(whole);
      flipped.writeUInt8(whole.readUInt8(at) ^ (1 << (at % 8)), at);
      writeFileSync(file(), flipped);
      await restart({ keys });
      expect(await find(disk, firstPageOf('1'))).toBe(what === 'page' ? 'lease' : 'fallback rows of people');
    }
  });
});

describe('A page on the disk', () => {
  beforeEach(async () => {
    await store();
    await store(laterPageOf('1'), 'more rows of people');
    await restart();
  });

  test.each<[string, string, (file: string) => void]>([
    ['nothing', 'damaged', (file) => writeFileSync(file, '')],
    ['zeros, as after a power cut', 'damaged', (file) => writeFileSync(file, Buffer.alloc(5_000))],
    ['foreign text', 'damaged', (file) => writeFileSync(file, '{"results":[]}'.repeat(99))],
    ['a page of a later version', 'other-version', (file) => writeFileSync(file, replaced(file, 8, 99))],
    ['a file that is longer than any page', 'foreign', (file) => truncateSync(file, 2 ** 40)],
    ['the file of another page', 'damaged', (file) => copyFileSync(otherOf(file), file)],
    ['a directory', 'foreign', (file) => [rmSync(file), mkdirSync(file)]],
    ['a link', 'foreign', (file) => [renameSync(file, `${folder}/page`), symlinkSync(`${folder}/page`, file)]],
    ['a named pipe', 'foreign', (file) => [rmSync(file), execFileSync('mkfifo', [file])]],
  ])('that is replaced by %s is fetched again, which is told', async (_, reason, replace) => {
    replace(laterFile());
    expect(await find(disk, laterPageOf('1'))).toBe('lease');
    expect(disk.told.filter((one) => one !== 'foreign 1')).toEqual([`unreadable ${reason}`]);
    expect(await find(disk, firstPageOf('1'))).toBe('page rows of people');
  });

  /** The file of the later page: the second that was written. */
  function laterFile(): string {
    const [first = '', second = ''] = filesOf('1', (name) => !name.endsWith('.walk'));
    return readFileSync(first).length > readFileSync(second).length ? first : second;
  }
  const otherOf = (file: string) => filesOf('1', (name) => !name.endsWith('.walk') && !file.endsWith(name))[0] ?? '';
  function replaced(file: string, at: number, byte: number): Buffer {
    const content = readFileSync(file);
    content.writeUInt8(byte, at);
    return content;
  }

  test('is written again where that is possible, and what is in its place stays', async () => {
    const file = laterFile();
    rmSync(file);
    mkdirSync(file);
    await store(laterPageOf('1'), 'more rows of people');
    await restart();
    expect(await find(disk, laterPageOf('1'))).toBe('lease');
    expect(disk.availability.isUp).toBe(true);
    rmSync(file, { recursive: true, maxRetries: 10 });
    await store(laterPageOf('1'), 'more rows of people');
    await restart();
    expect(await find(disk, laterPageOf('1'))).toBe('page more rows of people');
  });

  test('is not there while a file is in the place of its directory', async () => {
    rmSync(join(disk.pages, '1'), { recursive: true, maxRetries: 10 });
    writeFileSync(join(disk.pages, '1'), 'mine');
    await restart();
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
    await store();
    await until(() => disk.told.includes('foreign 1'), 'it is told');
    expect(readFileSync(join(disk.pages, '1'), 'utf8')).toBe('mine');
    expect(disk.availability.isUp).toBe(true);
  });

  test('is not found with another base path or version of the API', async () => {
    await restart({ namespace: 'v3' });
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
  });

  test('is not found without its walk, but better than an error', async () => {
    rmSync(walkFile());
    await restart();
    expect(await find(disk, firstPageOf('1'))).toBe('fallback rows of people');
    expect(await find(disk, laterPageOf('1'))).toBe('lease');
  });

  test('is opened with the key before, and not without it', async () => {
    const [old, next, plain] = [keyOf(1), keyOf(2), laterFile()];
    expect(await find(disk, firstPageOf('1'))).toBe('page rows of people');
    await restart({ keys: [old] });
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
    expect(disk.told).toContain('unreadable other-version'); // not encrypted as configured
    await store();
    await restart({ keys: [next, old] });
    expect(await find(disk, firstPageOf('1'))).toBe('page rows of people');
    await restart({ keys: [next] });
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
    expect(disk.told).toContain('unreadable unknown-key');
    for (const file of filesOf('1')) expect(readFileSync(file, 'latin1').includes('rows of')).toBe(file === plain);
  });

  test('that comes from ahead of the clock is stale', async () => {
    clock.stepWall(-3_600_000);
    await restart();
    const reply = await disk.secondLevel.look(firstPageOf('1'), {
      ...{ notBefore: 0, mayBeStale: false, known: undefined },
      rebuild: (json) => ({ json, next: undefined, cursor: undefined, newestMs: 1, first: json.slice(0, 9) }),
    });
    expect(reply.kind).toBe('lease');
    if (reply.kind === 'lease') {
      expect(reply.fallback?.fetchedAt).toBeGreaterThan(clock.monotonic() - 1_000);
      expect(reply.fallback?.freshUntil).toBeLessThanOrEqual(clock.monotonic());
    }
  });
});

describe('At the start,', () => {
  test('what is not of Sendgate stays, and is told once', async () => {
    await store();
    const foreign = ['notes.txt', 'backup/page', '1/notes.txt', '1/.0123456789abcdef-0123456789abcdef.swp'];
    mkdirSync(join(disk.pages, 'backup'));
    for (const name of foreign) writeFileSync(join(disk.pages, name), 'mine');
    await restart();
    await until(() => disk.told.length > 0, 'it is told');
    expect(disk.told).toEqual(['foreign 4']);
    expect(await disk.store.purgeAll()).toBe(true);
    for (const name of foreign) expect(existsSync(join(disk.pages, name))).toBe(true);
    expect(filesOf('1')).toHaveLength(2);
  });

  test('files that were not finished, and walks without pages, are removed', async () => {
    await store();
    const [page, walk] = [pageFile(), walkFile()];
    writeFileSync(`${page}.new`, 'half a pa');
    copyFileSync(walk, walk.replace(/[0-9a-f]{16}\.walk/, '0123456789abcdef.walk'));
    expect(filesOf('1')).toHaveLength(4);
    await restart();
    await until(() => filesOf('1').length === 2, 'they are removed');
    expect(await find(disk, firstPageOf('1'))).toBe('page rows of people');
    expect([disk.told, disk.store.pages]).toEqual([[], 1]);
  });

  test('files whose time is over are removed, with their directory', async () => {
    await store();
    for (const file of filesOf('1')) utimesSync(file, 1, 1);
    await restart();
    await until(() => !existsSync(join(disk.pages, '1')), 'they are removed');
    expect([disk.store.bytes, disk.store.pages]).toEqual([0, 0]);
  });
});

test('When a reload lets pages be kept for less time, those that are there go by then', async () => {
  let sweep = () => {};
  clock.after = (ms, run) => {
    if (ms === 3_600_000) sweep = run;
    return ms >= 60_000 ? () => {} : ForwardClock.prototype.after.call(clock, ms, run);
  };
  await restart();
  await store();
  await restart();
  await until(() => disk.store.pages === 1, 'it is found');
  await store(firstPageOf('2'));
  disk.store.reconfigure({ maxBytes: 16 * 1024 * 1024, maxFileBytes: 100_000, lifeMs: 60_000 });
  sweep();
  await disk.store.idle();
  expect(disk.store.pages).toBe(2);
  clock.forward(61);
  sweep();
  await disk.store.idle();
  expect([disk.store.pages, readdirSync(disk.pages)]).toEqual([0, []]);
});

describe('When there is no room for all pages,', () => {
  const blockBytes = 4_096;
  /** Each page takes a block, and so does its walk. */
  const maxBytes = 8 * blockBytes;
  const present = () => readdirSync(disk.pages).sort();

  test('those go that were used longest ago', async () => {
    await restart({ maxBytes });
    for (const campaign of ['1', '2', '3', '4']) await store(firstPageOf(campaign));
    expect(await find(disk, firstPageOf('1'))).toBe('page rows of people');
    await settled();
    collectGarbage();
    await store(firstPageOf('5'));
    expect(present()).toEqual(['1', '3', '4', '5']);
    expect(disk.store.bytes).toBe(maxBytes);
  });

  test('a page that memory holds counts as used', async () => {
    await restart({ maxBytes });
    const held: SecondLevelReply[] = [];
    for (const campaign of ['1', '2', '3', '4']) await store(firstPageOf(campaign));
    held.push(await disk.secondLevel.look(firstPageOf('1'), wanted));
    for (const campaign of ['2', '3', '4']) await find(disk, firstPageOf(campaign));
    await settled();
    collectGarbage();
    await store(firstPageOf('5'));
    expect(present()).toEqual(['1', '3', '4', '5']);
    expect(held).toMatchObject([{ kind: 'page' }]);
  });

  test('those of before the start go first, in the order of their age', async () => {
    await restart({ maxBytes });
    const campaigns = ['4', '2', '1', '3'];
    for (const campaign of campaigns) await store(firstPageOf(campaign));
    const now = clock.now() / 1000;
    for (const [n, campaign] of campaigns.entries()) {
      for (const file of filesOf(campaign)) utimesSync(file, now - 100 + n, now - 100 + n);
    }
    await restart({ maxBytes });
    await until(() => disk.store.pages === 4, 'they are found');
    expect(await find(disk, firstPageOf('4'))).toBe('page rows of people');
    for (const campaign of ['5', '6']) await store(firstPageOf(campaign));
    expect(present()).toEqual(['3', '4', '5', '6']);
  });

  test('a page that is written again takes no more room', async () => {
    await restart({ maxBytes });
    for (let n = 0; n < 20; n++) await store(firstPageOf('1'), `rows ${n}`);
    expect([disk.store.bytes, disk.store.pages]).toEqual([2 * blockBytes, 1]);
  });

  test('a bound that was lowered holds after the start', async () => {
    for (const campaign of ['1', '2', '3', '4', '5', '6']) await store(firstPageOf(campaign));
    await restart({ maxBytes });
    await until(() => disk.store.bytes === maxBytes && disk.store.pages === 4, 'some are evicted');
    await until(() => present().length === 4, 'their files are removed');
  });
});
