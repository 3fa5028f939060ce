/**
 * Sendgate notices by itself that its configuration file changes.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Reload } from '../src/compose/reload.ts';
import { fileReader } from '../src/config/file-text.ts';
import { loadConfig } from '../src/config/load.ts';
import { FakeClock } from './support/clock.ts';

let folder: string;
let clock: FakeClock;
let reload: Reload | undefined;
let events: string[];
let applied: number[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sendgate-file-'));
  [clock, events, applied] = [new FakeClock(), [], []];
});
afterEach(() => {
  reload?.close();
});

const perDay = (calls: number) => JSON.stringify({ quota: { perDay: calls } });

function watch(file: string) {
  const env = { SENDGATE_CONFIG: file, CONSTANT_CONTACT_API_KEY: 'key-5ecret' };
  const { config, source, warnings } = loadConfig(env, fileReader());
  reload = new Reload(config, {
    ...{ clock, source, warnings },
    emit: (event) => void events.push(event),
    apply: ({ quota }) => void applied.push(quota.perDay),
    setLogLevel: () => {},
  });
}

const nextPoll = () => clock.pass(1_000);

test('a ConfigMap is reloaded, whose files are swapped by renaming a symlink above them', async () => {
  const mount = (version: string, calls: number) => {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, 'sendgate.json'), perDay(calls));
    symlinkSync(version, join(folder, '..data.new'));
    renameSync(join(folder, '..data.new'), join(folder, '..data'));
  };
  mount('..1', 100);
  symlinkSync('..data/sendgate.json', join(folder, 'sendgate.json'));
  watch(join(folder, 'sendgate.json'));
  mount('..2', 200);
  await nextPoll();
  expect(applied).toEqual([200]);
});

test('a half-written file is read again when it is complete', async () => {
  const file = join(folder, 'sendgate.json');
  writeFileSync(file, perDay(100));
  watch(file);
  writeFileSync(file, perDay(200).slice(0, 12));
  await nextPoll();
  writeFileSync(file, perDay(200));
  await nextPoll();
  await nextPoll();
  expect([events, applied]).toEqual([['config.reloaded'], [200]]);
});

test.each([
  ['removed', (file: string) => rmSync(file)],
  ['broken', (file: string) => writeFileSync(file, '{')],
])('a file that stays %s is reported once, and again when it is back', async (_, spoil) => {
  const file = join(folder, 'sendgate.json');
  writeFileSync(file, perDay(100));
  watch(file);
  spoil(file);
  await nextPoll();
  expect(events).toEqual([]);
  for (let n = 0; n < 3; n++) await nextPoll();
  expect(events).toEqual(['config.invalid']);
  writeFileSync(file, perDay(100));
  await nextPoll();
  expect(events).toEqual(['config.invalid', 'config.mended', 'config.unchanged']);
  reload?.reload();
  expect(events.at(-2)).toBe('config.unchanged');
  expect(applied).toEqual([]);
});

test('a file that cannot be read for another reason than before is reported again', async () => {
  const file = join(folder, 'sendgate.json');
  writeFileSync(file, perDay(100));
  watch(file);
  rmSync(file);
  symlinkSync('sendgate.json', file);
  for (let n = 0; n < 3; n++) await nextPoll();
  rmSync(file);
  writeFileSync(file, ' '.repeat(2 * 1024 * 1024));
  for (let n = 0; n < 3; n++) await nextPoll();
  expect(events).toEqual(['config.invalid', 'config.invalid']);
});

test('a file that was reloaded by a signal is not reloaded again by the poll', async () => {
  const file = join(folder, 'sendgate.json');
  writeFileSync(file, perDay(100));
  watch(file);
  writeFileSync(file, perDay(200));
  reload?.reload();
  reload?.reload();
  await nextPoll();
  expect([events, applied]).toEqual([['config.reloaded', 'config.unchanged'], [200]]);
});

test('a pipe, which can be read only once, stays as it was read', () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const writing = execFile('sh', ['-c', 'echo "{}" > "$0"', pipe]);
  watch(pipe);
  reload?.reload();
  expect([events, applied]).toEqual([['config.unchanged'], []]);
  writing.kill();
});
