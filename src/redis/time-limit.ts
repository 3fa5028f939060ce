/**
 * How long an answer of Redis is waited for.
 */
import type { Clock } from '../clock.ts';
import { Late } from './failures.ts';

/** @throws Late when the promise has not settled by then; an answer that has arrived, and was not looked at yet, is in time */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => setImmediate(() => setImmediate(() => reject(new Late()))));
    promise.then(resolve, reject).finally(cancel);
  });
}
