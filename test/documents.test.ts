/**
 * The documentation refers to existing files, headings and source files.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../', import.meta.url));
const markdownIn = (folder: string, recursive: boolean) =>
  readdirSync(join(root, folder), { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
const documents = [
  ...markdownIn('.', false),
  ...markdownIn('docs', true),
  ...['bench', 'src/client'].flatMap((folder) => markdownIn(folder, false)),
];
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

test.each(documents)('every link of %s resolves', (file) => {
  const targets = [...read(file).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, target = '']) => target);
  expect(targets.filter((target) => !isThere(file, target))).toEqual([]);
});

test('README has the two commands in its first screen, and at most 150 lines', () => {
  const lines = read('README.md').trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(150);
  expect(lines.slice(0, 30)).toEqual(expect.arrayContaining(['npm ci && npm test', 'npm ci && npm run demo']));
});

test('every number that docs/comparison.md quotes as measured is in bench/RESULTS.md', () => {
  const measured = /^## Measured\n([\s\S]*?)^## /m.exec(read('docs/comparison.md'))?.[1] ?? '';
  const quoted = [...measured.matchAll(/(?<![\w.])\d[\d,]*(?:[.]\d+)?(?= ms\b| s\b| \||\b \()/g)].map(
    ([number]) => number,
  );
  expect(quoted.length).toBeGreaterThan(20);
  const results = new Set(read('bench/RESULTS.md').match(/\d[\d,]*(?:[.]\d+)?/g));
  expect(quoted.filter((number) => !results.has(number))).toEqual([]);
});

test.each([
  ['Dockerfile', /image[.]version="([^"]+)"/g],
  ['deploy/kubernetes/sendgate.yaml', /\/sendgate:(\S+)/g],
  ['docs/api.md', /(?:sendgate-client-|[ #]v)(\d+[.]\d+[.]\d+)/g],
  ['src/client/package.json', /"version": "([^"]+)"/g],
])('%s names the version of package.json', (file, pattern) => {
  const { version } = JSON.parse(read('package.json'));
  expect(new Set([...read(file).matchAll(pattern)].map(([, named]) => named))).toEqual(new Set([version]));
});

test('every source file that CONTRIBUTING names exists', () => {
  const paths = [...read('CONTRIBUTING.md').matchAll(/`((?:[\w-]+\/)+[\w.-]+[.](?:ts|lua|md|js))`/g)].map(
    ([, path = '']) => path,
  );
  expect(paths.length).toBeGreaterThan(30);
  const isSource = (path: string) => existsSync(join(root, path)) || existsSync(join(root, 'src', path));
  expect(paths.filter((path) => !isSource(path))).toEqual([]);
});

test('every room of src is in CONTRIBUTING and in the import rule', () => {
  const rooms = readdirSync(join(root, 'src')).filter((name) => !/^[.]/.test(name));
  const [map, rule] = [read('CONTRIBUTING.md'), read('.dependency-cruiser.mjs')];
  for (const room of rooms) {
    expect(map).toMatch(new RegExp(`\`${room.replace('.', '[.]')}/?\``));
    expect(rule).toContain(room.replace(/[.]ts$/, ''));
  }
});

describe("CONTRIBUTING's graph of the rooms", () => {
  const program =
    /^(?:main|authorize|token|workers\/(?:main|worker)|upstream\/oauth\/refresh-main|sandbox\/(?:main|demo))[.]ts$/;
  const roomOf = (file: string) => (program.test(file) ? 'programs' : (file.split('/')[0] ?? '').replace(/[.]ts$/, ''));

  const imports = new Set<string>();
  for (const file of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    for (const [, path = ''] of read(join('src', file)).matchAll(/^(?:import|export|\}) [^;]*?from '([.][^']+)'/gm)) {
      const [from, to] = [roomOf(file), roomOf(join(dirname(file), path))];
      if (from !== to) imports.add(`${from} → ${to}`);
    }
  }

  const arrows = [
    ...(/```mermaid\n([^`]*)```/.exec(read('CONTRIBUTING.md'))?.[1] ?? '').matchAll(/(\w+) --> (.+)/g),
  ].flatMap(([, from = '', to = '']) => to.split(' & ').map((room) => `${from} → ${room}`));

  const isBelow = (to: string, from: string): boolean =>
    arrows.some((arrow) => {
      const [start, end = ''] = arrow.split(' → ');
      return start === from && (end === to || isBelow(to, end));
    });

  test('has every import, directly or through others', () => {
    const isShown = (one: string) => {
      const [from = '', to = ''] = one.split(' → ');
      return isBelow(to, from);
    };
    expect([...imports].filter((one) => !isShown(one)).sort()).toEqual([]);
  });

  test('has no arrow without an import', () => {
    expect(arrows.filter((arrow) => !imports.has(arrow))).toEqual([]);
  });
});
