/**
 * What the documentation points to is there: files, headings, source files.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../', import.meta.url));
const markdownIn = (folder: string, recursive: boolean) =>
  readdirSync(join(root, folder), { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const documents = [...markdownIn('.', false), ...markdownIn('docs', true), ...markdownIn('bench', false)];
const read = (file: string) => readFileSync(join(root, file), 'utf8');

/** GitHub's anchors: lower case, without punctuation, a hyphen for each space. */
const anchorsOf = (file: string) =>
  [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

function isThere(from: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? from : join(dirname(from), path);
  if (!existsSync(join(root, file))) return false;
  return anchor === undefined || anchorsOf(file).includes(anchor);
}

test.each(documents)('every link of %s leads somewhere', (file) => {
  const targets = [...read(file).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, target = '']) => target);
  expect(targets.filter((target) => !isThere(file, target))).toEqual([]);
});

test('README has the two commands in its first screen, and at most 150 lines', () => {
  const lines = read('README.md').trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(150);
  expect(lines.slice(0, 30)).toEqual(expect.arrayContaining(['npm ci && npm test', 'npm ci && npm run demo']));
});

test('every source file that CONTRIBUTING names is there', () => {
  const paths = [...read('CONTRIBUTING.md').matchAll(/`((?:src|test|docs)\/[\w./-]+)`/g)].map(([, path = '']) => path);
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('every room of src is in CONTRIBUTING and in the import rule', () => {
  const rooms = readdirSync(join(root, 'src')).filter((name) => !/^[.]/.test(name));
  const [map, rule] = [read('CONTRIBUTING.md'), read('.dependency-cruiser.mjs')];
  for (const room of rooms) {
    expect(map).toMatch(new RegExp(`\`${room.replace('.', '[.]')}/?\``));
    expect(rule).toContain(room.replace(/[.]ts$/, ''));
  }
});
