/**
 * What a disk in trouble, a second process and a purge may do to pages in storage.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FileIndex } from '../../src/cache/disk/file-index.ts';
import { sleep } from '../../src/clock.ts';
import { FilesOnDisk } from '../../src/storage/files.ts';
import { lockDirectory } from '../../src/storage/socket-lock.ts';
import { ForwardClock, settled } from '../support/clock.ts';
import {
  type Disk,
  find,
  firstPageOf,
  laterPageOf,
  openDisk,
  storePage,
  store as storeWith,
  wanted,
} from '../support/disk.ts';
import { until } from '../support/harness.ts';

let folder: string;
let clock: ForwardClock;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sendgate-disk-'));
  clock = new ForwardClock();
});

/** A disk with which a test does what it wants. */
class BadDisk extends FilesOnDisk {
  /** What each operation does first. */
  trouble: (operation: string) => Promise<void> = async () => {};
  readonly operations: string[] = [];

  override async read(path: string, maxBytes: number) {
    await this.#before('read');
    return super.read(path, maxBytes);
  }

  override async write(path: string, content: Buffer) {
    await this.#before('write');
    return super.write(path, content);
  }

  override async remove(path: string) {
    await this.#before('remove');
    return super.remove(path);
  }

  override async list(path: string) {
    await this.#before('list');
    await this.trouble(`list ${path}`);
    return super.list(path);
  }

  override async stat(path: string) {
    await this.#before('stat');
    return super.stat(path);
  }

  async #before(operation: string): Promise<void> {
    this.operations.push(operation);
    await this.trouble(operation);
  }

  /** @param but operations that work */
  fail(code: string, but: readonly string[] = []): void {
    this.trouble = async (operation) => {
      if (!but.includes(operation)) throw Object.assign(new Error(code), { code });
    };
  }

  heal(): void {
    this.trouble = async () => {};
  }
}

describe('With a disk in trouble,', () => {
  let files: BadDisk;
  let disk: Disk;
  beforeEach(() => {
    files = new BadDisk(folder, 'pages');
    disk = openDisk(folder, clock, { files });
  });
  afterEach(() => disk.store.close());

  const store = (of = firstPageOf('1'), text = 'rows') => storePage(disk, of, text, clock);
  const stored = async (of = firstPageOf('1'), text = 'rows') => {
    await store(of, text);
    await disk.store.idle();
  };

  test.each(['ENOSPC', 'EROFS', 'EIO', 'EDQUOT'])(
    '%s is told once, not tried for each page, and told when it is over',
    async (code) => {
      files.fail(code);
      for (let n = 1; n < 9; n++) await stored(firstPageOf(String(n)));
      expect(disk.told).toEqual([`unavailable ${code}`]);
      expect(disk.availability.isUp).toBe(false);
      expect(files.operations.filter((one) => one === 'write')).toHaveLength(1);
      clock.forward(61);
      await stored();
      expect(disk.told).toEqual([`unavailable ${code}`]);
      files.heal();
      clock.forward(61);
      await stored();
      expect(disk.told).toEqual([`unavailable ${code}`, 'available']);
      expect(await find(disk, firstPageOf('1'))).toBe('page rows');
    },
  );

  test('a page that could not be replaced is not found with the pages of another generation', async () => {
    await stored(firstPageOf('1'), 'rows');
    await stored(laterPageOf('1'), 'more rows');
    files.fail('EIO');
    await stored(firstPageOf('1'), 'new rows');
    files.heal();
    await disk.store.close();
    disk = openDisk(folder, clock);
    // Nothing on the disk has changed: both are from before.
    const found = [await find(disk, firstPageOf('1')), await find(disk, laterPageOf('1'))];
    expect(found).toEqual(['page rows', 'page more rows']);
  });

  test('a walk that moves on while nothing can be written does not come back', async () => {
    await stored(firstPageOf('1'), 'rows');
    await stored(laterPageOf('1'), 'more rows');
    files.trouble = (operation) => {
      const error = Object.assign(new Error('broken'), { code: 'EIO' });
      return operation === 'write' ? Promise.reject(error) : Promise.resolve();
    };
    await stored(firstPageOf('2'));
    await stored(firstPageOf('1'), 'new rows');
    await disk.store.close();
    disk = openDisk(folder, clock);
    expect(await find(disk, firstPageOf('1'))).toBe('fallback rows');
    expect(await find(disk, laterPageOf('1'))).toBe('lease');
  });

  test('one that hangs costs one wait, few threads and bounded memory, and is used again when it answers', async () => {
    await stored();
    const hanging: (() => void)[] = [];
    files.trouble = () => new Promise((resolve) => hanging.push(resolve));
    const all = await Promise.all(Array.from({ length: 50 }, () => find(disk, firstPageOf('1'))));
    expect(new Set(all)).toEqual(new Set(['lease']));
    expect(disk.told).toEqual(['unavailable slow']);
    expect(hanging).toHaveLength(2);

    clock.forward(60);
    await until(() => disk.lanes.hangs, 'it is known to hang');
    let timers = 0;
    clock.after = (ms, run) => {
      timers++;
      return ForwardClock.prototype.after.call(clock, ms, run);
    };
    for (let n = 0; n < 200; n++) expect(await find(disk, firstPageOf(String(n)))).toBe('lease');
    expect(timers).toBe(0); // Nothing was waited for.
    for (let n = 0; n < 10; n++) await store(firstPageOf('2'), `rows ${n}`);
    expect(hanging).toHaveLength(2);

    files.heal();
    clock.after = () => () => {}; // From here on nothing is slow, however busy the machine.
    hanging[0]?.();
    for (let turns = 0; turns < 20; turns++) await settled();
    expect(disk.told).toEqual(['unavailable slow']);
    hanging[1]?.();
    await until(() => !disk.lanes.hangs, 'nothing hangs');
    await until(async () => (await find(disk, firstPageOf('1'))) === 'page rows', 'it is read again');
    expect(disk.told).toEqual(['unavailable slow', 'available']);
  });

  test('one that hangs as it writes is told, too, by a page that is not read', async () => {
    await stored();
    const hanging: (() => void)[] = [];
    files.trouble = (operation) =>
      operation === 'write' ? new Promise((resolve) => hanging.push(resolve)) : Promise.resolve();
    await store(firstPageOf('2'));
    await until(() => disk.lanes.hangs, 'it hangs');
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
    expect(disk.told).toEqual(['unavailable slow']);
    files.heal();
    for (const answer of hanging) answer();
    clock.forward(5);
    await until(async () => (await find(disk, firstPageOf('1'))) === 'page rows', 'it is read again');
    expect(disk.told).toEqual(['unavailable slow', 'available']);
  });

  test('one that is quick is not taken for slow when this process stalls', async () => {
    await stored();
    const looking = find(disk, firstPageOf('1'));
    for (const end = performance.now() + 700; performance.now() < end; );
    expect(await looking).toBe('page rows');
    expect(disk.told).toEqual([]);
  });

  test('a read that fails late is told, and no read that was not made counts as one that worked', async () => {
    await stored();
    const hanging: ((error: Error) => void)[] = [];
    files.trouble = () => new Promise((_, reject) => hanging.push(reject));
    await Promise.all([1, 2, 3].map(() => find(disk, firstPageOf('1'))));
    for (const fail of hanging) fail(Object.assign(new Error('EIO'), { code: 'EIO' }));
    for (let turns = 0; turns < 50; turns++) await settled();
    expect(disk.told).toEqual(['unavailable slow']);
    expect(disk.availability.isUp).toBe(false);
  });

  test('a page that waits behind many others to be written is found nevertheless', async () => {
    files.trouble = (operation) => (operation === 'write' ? sleep(clock, 40) : Promise.resolve());
    for (let n = 1; n <= 20; n++) await store(firstPageOf(String(n)));
    expect(await find(disk, firstPageOf('19'))).toBe('page rows');
    expect(disk.told).toEqual([]);
    files.heal();
  });

  test.each(['EACCES', 'EPERM'])(
    '%s is a file of another owner, wherever it occurs, while its directory is seen: the disk is in use',
    async (code) => {
      await stored();
      files.fail(code, ['stat']);
      expect(await find(disk, firstPageOf('1'))).toBe('lease');
      await stored(firstPageOf('1', 7));
      expect(await disk.secondLevel.purge('1')).toBe(false);
      expect(new Set(disk.told)).toEqual(new Set(['unreadable foreign']));
      expect(disk.availability.isUp).toBe(true);
    },
  );

  test('a campaign of another owner that cannot be listed, by any id, is not purged, and the disk is in use', async () => {
    const uuid = '0e1d2c3b-0000-4000-8000-00000000000a';
    for (const campaign of ['12', uuid]) await stored(firstPageOf(campaign));
    for (const campaign of ['12', uuid]) {
      files.trouble = (operation) =>
        operation === `list ${campaign}`
          ? Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }))
          : Promise.resolve();
      expect(await disk.secondLevel.purge(campaign)).toBe(false);
    }
    expect(disk.told).toEqual(['unreadable foreign', 'unreadable foreign']);
    expect(disk.availability.isUp).toBe(true);
  });

  test.each(['EACCES', 'EPERM'])(
    '%s of all there is: the directory is denied, which is told once, and used again when it is permitted',
    async (code) => {
      await stored();
      files.fail(code);
      expect(await find(disk, firstPageOf('1'))).toBe('lease');
      await stored(firstPageOf('1', 7));
      await stored(firstPageOf('2'));
      expect([disk.told, disk.availability.isUp]).toEqual([[`unavailable ${code}`], false]);
      files.heal();
      clock.forward(61);
      await stored(firstPageOf('2'));
      expect(await find(disk, firstPageOf('1'))).toBe('page rows');
      expect(disk.told).toEqual([`unavailable ${code}`, 'available']);
    },
  );

  test('a directory of a campaign that may not be created is told: no other could be, either', async () => {
    await stored();
    files.trouble = (operation) =>
      operation === 'write'
        ? Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }))
        : Promise.resolve();
    await stored(firstPageOf('2'));
    expect(disk.told).toEqual(['unavailable EACCES']);
  });

  test('files that cannot be removed keep their room, and no more is written', async () => {
    await disk.store.close();
    disk = openDisk(folder, clock, { files, maxBytes: 4 * 4_096 });
    for (const campaign of ['1', '2']) await stored(firstPageOf(campaign));
    files.trouble = (operation) =>
      operation === 'remove' ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) : Promise.resolve();
    await stored(firstPageOf('3'));
    expect([disk.store.bytes, disk.told]).toEqual([4 * 4_096, ['unavailable EIO']]);
    expect(readdirSync(disk.pages).sort()).toEqual(['1', '2']);
  });

  test('files of another owner take no room', async () => {
    await disk.store.close();
    disk = openDisk(folder, clock, { files, maxBytes: 4 * 4_096 });
    for (const campaign of ['1', '2']) await stored(firstPageOf(campaign));
    files.trouble = (operation) =>
      operation === 'remove'
        ? Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }))
        : Promise.resolve();
    await stored(firstPageOf('3'));
    expect(await find(disk, firstPageOf('3'))).toBe('page rows');
    expect(disk.availability.isUp).toBe(true);
  });

  test('a page for which there never is room takes none from others', async () => {
    await disk.store.close();
    disk = openDisk(folder, clock, { files, maxBytes: 4 * 4_096 });
    await stored(firstPageOf('1'));
    await stored(firstPageOf('2'), randomBytes(20_000).toString('latin1'));
    expect(await find(disk, firstPageOf('1'))).toBe('page rows');
    expect(disk.store.bytes).toBeLessThanOrEqual(4 * 4_096);
    expect(disk.told).toEqual([]);
  });

  test('one that hangs does not keep a purge for ever, which says that it is not complete', async () => {
    const hasty = new (class extends ForwardClock {
      override after(ms: number, run: () => void) {
        return super.after(ms === 30_000 ? 20 : ms, run);
      }
    })();
    await stored();
    await disk.store.close();
    disk = openDisk(folder, hasty, { files });
    let answer = () => {};
    files.trouble = async (operation) => {
      if (operation !== 'write') return;
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
    };
    await store(firstPageOf('2'));
    await until(() => files.operations.at(-1) === 'write', 'it hangs');
    expect(await disk.secondLevel.purge('1')).toBe(false);
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
    files.heal();
    answer();
    await until(() => !existsSync(join(disk.pages, '1')), 'it goes on');
  });
});

test('A page that is written after its directory was removed is there after a restart', async () => {
  let disk = openDisk(folder, clock);
  await storePage(disk, firstPageOf('1'), 'rows', clock);
  await storePage(disk, laterPageOf('1'), 'more rows', clock);
  await disk.store.idle();
  rmSync(join(folder, 'pages'), { recursive: true });
  await storePage(disk, laterPageOf('1', 'd'), 'last rows', clock);
  await storePage(disk, firstPageOf('1'), 'rows', clock);
  await disk.store.idle();
  expect([disk.store.pages, disk.store.bytes]).toEqual([2, 3 * 4_096]);
  await disk.store.close();
  disk = openDisk(folder, clock);
  expect(await find(disk, firstPageOf('1'))).toBe('page rows');
  expect(await find(disk, laterPageOf('1', 'd'))).toBe('page last rows');
  expect(await find(disk, laterPageOf('1'))).toBe('lease');
  await disk.store.close();
});

describe('A purge', () => {
  let files: BadDisk;
  let disk: Disk;
  beforeEach(() => {
    files = new BadDisk(folder, 'pages');
    disk = openDisk(folder, clock, { files });
  });
  afterEach(() => disk.store.close());
  const present = () => (existsSync(disk.pages) ? readdirSync(disk.pages).sort() : []);
  const store = (of = firstPageOf('1'), text = 'rows') => storePage(disk, of, text, clock);

  test('removes the files of one campaign, or of all, with those of other keys and versions', async () => {
    for (const campaign of ['1', '2', '3']) {
      await store(firstPageOf(campaign));
      await store(laterPageOf(campaign));
    }
    await disk.store.idle();
    for (const name of readdirSync(join(disk.pages, '2'))) writeFileSync(join(disk.pages, '2', name), 'other');
    expect(await disk.secondLevel.purge('2')).toBe(true);
    expect(present()).toEqual(['1', '3']);
    expect(await disk.secondLevel.purge(undefined)).toBe(true);
    expect(present()).toEqual([]);
    expect([disk.store.bytes, disk.store.pages]).toEqual([0, 0]);
  });

  test.each([
    ['of one campaign', '1'],
    ['of everything', undefined],
  ])('%s leaves nothing of what waits to be written, is being written, or is on its way', async (_, campaign) => {
    let answer = () => {};
    const { secondLevel } = disk;
    const reply = await secondLevel.look(firstPageOf('1', 7), { ...wanted, notBefore: 0 });
    files.trouble = async (operation) => {
      if (operation === 'write')
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
    };
    for (const limit of [1, 2, 3]) await store(firstPageOf('1', limit), `rows ${limit}`);
    await until(() => files.operations.some((one) => one === 'write'), 'one is being written');
    const purging = secondLevel.purge(campaign);
    expect(await find(disk, firstPageOf('1', 1))).toBe('lease');
    // Time enough to list what there is.
    for (let turns = 0; turns < 50; turns++) await settled();
    files.heal();
    answer();
    expect(await purging).toBe(true);
    expect(present()).toEqual([]);
    if (reply.kind === 'lease') await storeWith(reply.lease, disk, firstPageOf('1', 7), 'old rows', clock);
    await disk.store.idle();
    expect(present()).toEqual([]);
    await disk.store.close();
    disk = openDisk(folder, clock);
    for (const limit of [1, 2, 3, 7]) expect(await find(disk, firstPageOf('1', limit))).toBe('lease');
  });

  test('does not take the files behind a link for those of a campaign, and says so', async () => {
    await store();
    await disk.store.idle();
    renameSync(join(disk.pages, '1'), join(folder, 'elsewhere'));
    symlinkSync(join(folder, 'elsewhere'), join(disk.pages, '1'));
    expect(await disk.secondLevel.purge(undefined)).toBe(false);
    expect(await disk.secondLevel.purge('1')).toBe(false);
    expect(readdirSync(join(folder, 'elsewhere'))).toHaveLength(2);
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
    expect(disk.availability.isUp).toBe(true);
  });

  test('of everything that cannot tell what there is says so, and nothing is served until one is complete', async () => {
    await store();
    await disk.store.idle();
    renameSync(disk.pages, join(folder, 'away'));
    writeFileSync(disk.pages, 'mine');
    expect(await disk.secondLevel.purge(undefined)).toBe(false);
    rmSync(disk.pages);
    renameSync(join(folder, 'away'), disk.pages);
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
    expect(await disk.secondLevel.purge(undefined)).toBe(true);
    expect(present()).toEqual([]);
  });

  test('of everything looks at each file once: otherwise this takes minutes', () => {
    const index = new FileIndex();
    const campaigns = Array.from({ length: 10_000 }, (_, campaign) => String(campaign));
    for (const campaign of campaigns) {
      for (let page = 0; page < 10; page++) index.found(`${campaign}/0123456789abcdef-012345678900000${page}`, 1, 1);
    }
    for (const campaign of campaigns) expect(index.of(campaign)).toHaveLength(10);
  });

  test('that cannot remove files says so, and they are not served again', async () => {
    await store();
    await store(firstPageOf('2'));
    await disk.store.idle();
    files.fail('EROFS');
    expect(await disk.secondLevel.purge('1')).toBe(false);
    files.heal();
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
    expect(await find(disk, firstPageOf('2'))).toBe('page rows');
    expect(await disk.secondLevel.purge('1')).toBe(true);
    clock.forward(61);
    await store();
    await disk.store.idle();
    expect(await find(disk, firstPageOf('1'))).toBe('page rows');
  });
});

describe('While nobody asks,', () => {
  let files: BadDisk;
  let disk: Disk;
  let endMinute = () => {};
  beforeEach(async () => {
    clock = new (class extends ForwardClock {
      override after(ms: number, run: () => void) {
        if (ms !== 60_000) return super.after(ms, run);
        endMinute = run;
        return () => {
          endMinute = () => {};
        };
      }
    })();
    files = new BadDisk(folder, 'pages');
    disk = openDisk(folder, clock, { files });
    for (const campaign of ['1', '2']) await storePage(disk, firstPageOf(campaign), 'rows', clock);
    await disk.store.idle();
  });
  afterEach(() => disk.store.close());

  const minutePasses = async () => {
    clock.forward(61);
    endMinute();
    await disk.store.idle();
  };

  test.each(['ENOSPC', 'EROFS', 'EACCES', 'EIO'])(
    'a disk that is in order again after %s is used again',
    async (code) => {
      files.fail(code);
      await storePage(disk, firstPageOf('3'), 'rows', clock);
      await find(disk, firstPageOf('2'));
      await disk.store.idle();
      await minutePasses();
      expect([disk.told, disk.availability.isUp]).toEqual([[`unavailable ${code}`], false]);
      files.heal();
      await minutePasses();
      expect([disk.told, disk.availability.isUp]).toEqual([[`unavailable ${code}`, 'available'], true]);
      expect(readdirSync(disk.pages).sort()).toEqual(['1', '2']);
      files.operations.length = 0;
      await minutePasses();
      expect(files.operations).toEqual([]);
    },
  );

  test('a disk that answers again is used again', async () => {
    const hanging: (() => void)[] = [];
    files.trouble = () => new Promise((resolve) => hanging.push(resolve));
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
    expect(disk.told).toEqual(['unavailable slow']);
    files.heal();
    for (const answer of hanging) answer();
    await until(() => !disk.lanes.hangs, 'it answers');
    await minutePasses();
    expect(disk.told).toEqual(['unavailable slow', 'available']);
  });

  test('a campaign that could not be listed at the start is used again when it can', async () => {
    await disk.store.close();
    files.trouble = (operation) =>
      operation === 'list 1'
        ? Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' }))
        : Promise.resolve();
    disk = openDisk(folder, clock, { files });
    await until(() => disk.told.includes('foreign 1'), 'it is listed');
    expect(await find(disk, firstPageOf('1'))).toBe('lease');
    await minutePasses();
    expect(disk.told).toEqual(['unreadable foreign', 'foreign 1']);
    files.heal();
    await minutePasses();
    await until(async () => (await find(disk, firstPageOf('1'))) === 'page rows', 'it is used');
    expect([disk.store.pages, disk.told]).toEqual([2, ['unreadable foreign', 'foreign 1']]);
  });

  test('a directory that could not be listed at the start is listed when it can be', async () => {
    await disk.store.close();
    files.fail('EIO', ['read']);
    disk = openDisk(folder, clock, { files });
    await until(() => disk.told.includes('unavailable EIO'), 'it cannot be listed');
    files.heal();
    await minutePasses();
    await until(() => disk.store.pages === 2, 'it is listed');
    expect(disk.told).toEqual(['unavailable EIO', 'available']);
  });

  test.each([
    ['of one campaign', '1', 'EIO'],
    ['of one campaign', '1', 'EACCES'],
    ['of everything', undefined, 'EIO'],
    ['of everything', undefined, 'EACCES'],
  ])(
    'a purge %s (%s, %s) that failed is tried again each minute until it is complete; then the disk is used again',
    async (_, campaign, code) => {
      files.fail(code);
      expect(await disk.secondLevel.purge(campaign)).toBe(false);
      await minutePasses();
      expect(disk.told).toEqual([`unavailable ${code}`]);
      files.heal();
      expect(await find(disk, firstPageOf('1'))).toBe('lease');
      await minutePasses();
      expect(existsSync(join(disk.pages, '1'))).toBe(false);
      expect(existsSync(join(disk.pages, '2'))).toBe(campaign !== undefined);
      expect(disk.told).toEqual([`unavailable ${code}`, 'available']);
      await storePage(disk, firstPageOf('1'), 'new rows', clock);
      await disk.store.idle();
      expect(await find(disk, firstPageOf('1'))).toBe('page new rows');
      files.operations.length = 0;
      await minutePasses();
      expect(files.operations).toEqual([]);
    },
  );

  test('a purge that failed because of some files is tried again for those', async () => {
    files.trouble = (operation) =>
      operation === 'remove' ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) : Promise.resolve();
    expect(await disk.secondLevel.purge(undefined)).toBe(false);
    files.heal();
    await minutePasses();
    expect(readdirSync(disk.pages)).toEqual([]);
    expect(disk.told).toEqual(['unavailable EIO', 'available']);
  });

  test('nothing is tried by a process that has ended', async () => {
    files.fail('EIO');
    expect(await disk.secondLevel.purge(undefined)).toBe(false);
    files.heal();
    disk.store.release();
    await minutePasses();
    expect(readdirSync(disk.pages)).toHaveLength(2);
  });
});

describe('The lock of the directory', () => {
  const lockPath = () => join(folder, 'lock');

  test('is held by one, and passes to the next as soon as that ends', async () => {
    const first = await lockDirectory(folder, 0);
    expect((await lockDirectory(folder, 0)).kind).toBe('taken');
    const second = lockDirectory(folder, 60_000);
    if (first.kind === 'held') first.release();
    const held = await second;
    expect(held.kind).toBe('held');
    if (held.kind === 'held') held.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('of a process that has ended is replaced at once, by one of many', async () => {
    for (let round = 0; round < 5; round++) {
      await leaveDeadSocket();
      const all = await Promise.all(Array.from({ length: 8 }, () => lockDirectory(folder, 0)));
      expect(all.filter(({ kind }) => kind === 'held')).toHaveLength(1);
      for (const lock of all) if (lock.kind === 'held') lock.release();
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  test('passes on when its holder is killed before it has accepted who waits', async () => {
    const holder = spawn(process.execPath, [
      '-e',
      `require('node:net').createServer().listen(${JSON.stringify(lockPath())}, () => console.log('held'))`,
    ]);
    await once(holder.stdout, 'data');
    holder.kill('SIGSTOP');
    const waiting = lockDirectory(folder, 60_000);
    const probe = connect(lockPath());
    await once(probe, 'connect'); // Who waits was connected before.
    probe.on('error', () => {}).destroy();
    holder.kill('SIGKILL');
    const lock = await waiting;
    expect(lock.kind).toBe('held');
    if (lock.kind === 'held') lock.release();
  });

  test('works where the path is longer than that of a socket may be', async () => {
    const long = join(folder, 'x'.repeat(200));
    mkdirSync(long);
    const first = await lockDirectory(long, 0);
    expect([first.kind, readdirSync(long), readdirSync(folder)]).toEqual(['held', ['lock'], ['x'.repeat(200)]]);
    expect((await lockDirectory(long, 0)).kind).toBe('taken');
    if (first.kind === 'held') first.release();
    expect(readdirSync(long)).toEqual([]);
  });

  test('is released even if something else is in its place, which stays', async () => {
    const lock = await lockDirectory(folder, 0);
    rmSync(join(folder, 'lock'));
    writeFileSync(join(folder, 'lock'), 'mine');
    if (lock.kind === 'held') expect(lock.release).not.toThrow();
    expect(readFileSync(join(folder, 'lock'), 'utf8')).toBe('mine');
  });

  test('cannot be had while something else is in its place', async () => {
    writeFileSync(lockPath(), 'mine');
    await expect(lockDirectory(folder, 0)).rejects.toThrow();
    expect(readFileSync(lockPath(), 'utf8')).toBe('mine');
  });

  /** What kill -9 leaves: a socket on which nobody listens. */
  async function leaveDeadSocket(): Promise<void> {
    const server = createServer().listen(join(folder, 'dead'));
    await once(server, 'listening');
    linkSync(join(folder, 'dead'), lockPath());
    server.close();
    await once(server, 'close');
  }
});
