/**
 * The lock beside the token file: one holder at a time, even when a holder dies.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, test } from '@jest/globals';
import { breakLock, lock } from '../src/storage/file-lock.ts';
import { until } from './support/harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-lock-'));
let files = 0;
let path: string;
beforeEach(() => {
  path = join(folder, `${files++}.lock`);
});

const versionNow = () => `${statSync(path).ino}-${Math.floor(statSync(path).mtimeMs)}`;
function age(seconds: number): void {
  const at = Date.now() / 1000 - seconds;
  utimesSync(path, at, at);
}
const leftovers = () => readdirSync(folder).filter((name) => join(folder, name).startsWith(path));

test('has one holder, and is released for the next', async () => {
  const release = await lock(path, 100);
  expect(await lock(path, 100)).toBeUndefined();
  release?.();
  const again = await lock(path, 100);
  expect(again).toBeDefined();
  again?.();
  expect(leftovers()).toEqual([]);
});

test('of a live holder is respected, even if a changed clock makes it look old', async () => {
  const release = await lock(path, 100);
  age(3_600);
  expect(await lock(path, 100)).toBeUndefined();
  expect(Date.now() - statSync(path).mtimeMs).toBeLessThan(60_000);
  release?.();
});

test('of a dead holder is taken over, even with a short wait', async () => {
  writeFileSync(path, '');
  age(61);
  const release = await lock(path, 10);
  expect(release).toBeDefined();
  release?.();
  expect(leftovers()).toEqual([]);
});

test('that was found stale is not broken after another lock has replaced it', async () => {
  writeFileSync(path, '');
  age(61);
  const seen = versionNow();
  breakLock(path, seen);
  expect(existsSync(path)).toBe(false);
  const release = await lock(path, 100);
  const taken = versionNow();
  breakLock(path, seen); // The second of two processes that saw the old lock.
  expect(versionNow()).toBe(taken);
  expect(leftovers()).toHaveLength(1);
  release?.();
});

test('is broken by one process at a time, and by the next if that one dies', async () => {
  writeFileSync(path, '');
  age(61);
  const seen = versionNow();
  writeFileSync(`${path}.${seen}`, ''); // Another process is breaking it.
  breakLock(path, seen);
  expect(leftovers()).toHaveLength(2);
  rmSync(`${path}.${seen}`);
  breakLock(path, seen);
  expect(leftovers()).toEqual([]);
});

test('that was taken over is not released by its former holder', async () => {
  const release = await lock(path, 100);
  rmSync(path);
  const other = await lock(path, 100);
  release?.();
  expect(existsSync(path)).toBe(true);
  other?.();
  expect(existsSync(path)).toBe(false);
});

test('of a dead holder goes to one process at a time when many find it at once', async () => {
  const log = join(folder, 'log');
  writeFileSync(log, '');
  writeFileSync(path, '');
  age(61);
  const module = fileURLToPath(new URL('../dist/storage/file-lock.js', import.meta.url));
  // Each process writes two lines while it holds the lock; no other lines may come between.
  const program = `
    import { appendFileSync } from 'node:fs';
    import { setTimeout as delay } from 'node:timers/promises';
    import { lock } from ${JSON.stringify(module)};
    const release = await lock(${JSON.stringify(path)}, 20_000);
    appendFileSync(${JSON.stringify(log)}, process.pid + '\\n');
    await delay(20);
    appendFileSync(${JSON.stringify(log)}, process.pid + '\\n');
    release();`;
  const children = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' }),
  );
  await Promise.all(children.map((child) => once(child, 'close')));
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  expect(lines).toHaveLength(12);
  for (let n = 0; n < lines.length; n += 2) expect(lines[n]).toBe(lines[n + 1]);
  await until(() => leftovers().length === 0, 'nothing is left');
});
