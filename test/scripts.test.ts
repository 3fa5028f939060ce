/**
 * The Lua scripts: each documents its input and output, and is part of the build.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { loadScript } from '../src/redis/scripts.ts';

const source = fileURLToPath(new URL('../src', import.meta.url));
const built = fileURLToPath(new URL('../dist', import.meta.url));
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.lua'));
const scripts = files.filter((name) => !name.includes('include'));

describe.each(scripts)('%s', (name) => {
  const text = readFileSync(join(source, name), 'utf8');

  test('documents its input and output, with as many keys as its name says', () => {
    const { keys } = loadScript(import.meta.url, `../src/${name}`);
    expect(text).toMatch(/^--\[\[\n[^\]]*\bInput:\n(.*\n)+? {2}Output:\n(.*\n)+?\]\]\n/);
    const [header = ''] = text.split(']]\n');
    const named = [...header.matchAll(/KEYS\[(\d)\]/g)].map(([, n]) => Number(n));
    expect(Math.max(...named)).toBe(keys);
  });

  test('gives each argument a name before it is used', () => {
    const [, code = ''] = text.split(']]\n');
    const unnamed = code.split('\n').filter((line) => /(KEYS|ARGV)\[\d/.test(line) && !/^local /.test(line));
    expect(unnamed).toEqual([]);
  });
});

test('the build contains every script unchanged', () => {
  for (const name of files)
    expect(readFileSync(join(built, name), 'utf8')).toBe(readFileSync(join(source, name), 'utf8'));
  expect(existsSync(join(built, 'redis/lua'))).toBe(true);
});

test('names of scripts, which label metrics, are unique', () => {
  const names = scripts.map((name) => loadScript(import.meta.url, `../src/${name}`).name);
  expect(new Set(names).size).toBe(names.length);
});

test('an include inserts its file, and a name without a number of keys is rejected', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sendgate-lua-'));
  const from = pathToFileURL(join(folder, 'module.ts')).href;
  writeFileSync(join(folder, 'part.lua'), 'local one = 1\n');
  writeFileSync(join(folder, 'get-one-2.lua'), '-- @include "part"\nreturn one\n');
  expect(loadScript(from, 'get-one-2.lua')).toEqual({
    ...{ name: 'sendgateGetOne', keys: 2, lua: 'local one = 1\n\nreturn one\n' },
  });
  expect(() => loadScript(from, 'part.lua')).toThrow(/part\.lua/);
  expect(() => loadScript(from, 'none-1.lua')).toThrow(/ENOENT/);
});
