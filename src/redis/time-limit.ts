/**
 * Bounds the wait for a reply of Redis.
 */
import type { Clock } from '../clock.ts';
import { Late } from './failures.ts';

/** @throws Late if the promise has not settled in time. A reply that arrived but was not processed yet is in time */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => setImmediate(() => setImmediate(() => reject(new Late()))));
    promise.then(resolve, reject).finally(cancel);
  });
}
