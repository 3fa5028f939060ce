/**
 * The bound of the memory store, and its change.
 */
import { expect, test } from '@jest/globals';
import { entryOverheadBytes, MemoryStore } from '../src/cache/memory-store.ts';
import { FakeClock } from './support/clock.ts';

const clock = new FakeClock();
const room = 1_000 + entryOverheadBytes + 2;
const value = { bytes: 1_000 };

function storeOf(entries: number, names: string) {
  const store = new MemoryStore<{ bytes: number }>(clock, entries * room, ({ bytes }) => bytes);
  for (const name of names) store.set(name, value, 1_000);
  return store;
}
const heldBy = (store: MemoryStore<typeof value>) => [...'abcdef'].filter((name) => store.peek(name)).join('');

test('the least recently used entries are evicted when a new one needs their room', () => {
  const store = storeOf(3, 'abc');
  store.get('a');
  store.set('d', value, 1_000);
  expect(heldBy(store)).toBe('acd');
  expect(store.bytes).toBe(3 * room);
});

test('a smaller bound evicts down to it, and a larger one keeps everything', () => {
  const store = storeOf(4, 'abcd');
  store.get('a');
  store.maxBytes = 2 * room;
  expect(heldBy(store)).toBe('ad');
  store.maxBytes = 3 * room;
  for (const name of 'bc') store.set(name, value, 1_000);
  expect(heldBy(store)).toBe('abc');
});

test('an entry that is larger than the bound is not stored, and evicts nothing', () => {
  const store = storeOf(2, 'ab');
  store.set('c', { bytes: 5 * room }, 1_000);
  expect(heldBy(store)).toBe('ab');
  store.maxBytes = 10 * room;
  store.set('c', { bytes: 5 * room }, 1_000);
  expect(heldBy(store)).toBe('abc');
});
