/**
 * The heap of this process, which holds what keeps the pages in order; their contents lie outside of it.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * Lets the heap grow by half of what is alive in it until it is collected. V8 would let it grow to several times as
 * much, and give little of that back, and every scavenge looks at all of it. Called once, at the start.
 */
export function keepHeapTight(): void {
  setFlagsFromString('--heap-growing-percent=50');
}
