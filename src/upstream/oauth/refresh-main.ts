/**
 * The process of one refresh: reads an order from stdin, writes its outcome to stdout.
 */
import { type RefreshOrder, refreshTokens } from './refresh.ts';

/**
 * A backstop: locks, Redis, three calls and the disk take less, each at its longest. Meanwhile the lock is touched, so that
 * no process takes it for stale.
 */
const deadlineMs = 120_000;

setTimeout(() => process.exit(1), deadlineMs).unref();
// A service manager may signal all processes of a service: this one must not end between response and disk.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
process.stdout.on('error', () => {}); // The parent is gone; the tokens are on disk.

let text = '';
for await (const part of process.stdin) text += part;
const order: RefreshOrder = JSON.parse(text);
process.stdout.write(JSON.stringify(await refreshTokens(order)));
