/**
 * Operators grep and alert on event keys, and look them up in `docs/operations.md`.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { eventLines } from '../src/observability/event-log.ts';

const operations = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
const table = /^\| event \| level \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(operations)?.[1] ?? '';
const documented = table
  .split('\n')
  .filter(Boolean)
  .map((row) => row.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$|`/g, '')));

test('docs/operations.md lists every log event with its level, in the order of the source', () => {
  expect(documented.map(([key, level]) => [key, level])).toEqual(
    Object.entries(eventLines).map(([key, { level }]) => [key, level]),
  );
});

test('docs/operations.md says of every log event what it means and what to do', () => {
  for (const row of documented) expect(row).toHaveLength(4);
  for (const [, , meaning, remedy] of documented) {
    expect(meaning?.length).toBeGreaterThan(10);
    expect(remedy).not.toBe('');
  }
});
