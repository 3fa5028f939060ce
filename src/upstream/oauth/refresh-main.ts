/**
 * The process of one refresh: an order on stdin, its outcome on stdout.
 */
import { type RefreshOrder, refreshTokens } from './refresh.ts';

/**
 * A backstop: waiting for the lock and for Redis, three calls and the disk take less, each at its longest. Its lock is touched
 * meanwhile, so nobody takes it for a dead one's.
 */
const deadlineMs = 120_000;

setTimeout(() => process.exit(1), deadlineMs).unref();
// A service manager that signals all processes of a service must not end this one between an answer and the disk.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
process.stdout.on('error', () => {}); // Who asked is gone; the tokens are on disk.

let text = '';
for await (const part of process.stdin) text += part;
const order: RefreshOrder = JSON.parse(text);
process.stdout.write(JSON.stringify(await refreshTokens(order)));
