/**
 * The process of one refresh: an order on stdin, its outcome on stdout.
 */
import { type RefreshOrder, refreshTokens } from './refresh.ts';

/** A backstop: waiting for the lock, two calls and the disk take less, each at its longest. */
const deadlineMs = 58_000;

setTimeout(() => process.exit(1), deadlineMs).unref();
process.stdout.on('error', () => {}); // Who asked is gone; the tokens are on disk.

let text = '';
for await (const part of process.stdin) text += part;
const order: RefreshOrder = JSON.parse(text);
process.stdout.write(JSON.stringify(await refreshTokens(order)));
