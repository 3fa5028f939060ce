/**
 * Bounds of LRU caches.
 */

/**
 * Options of an `LRUCache` of at most `max` entries that takes its memory as it fills. With `max` alone, lru-cache takes it all at once:
 * 6 ms and 1.6 MB for 100,000 entries.
 */
export const upTo = (max: number) => ({ maxSize: max, sizeCalculation: () => 1 });
