/**
 * The program of a worker. It imports the worker itself when it already handles signals: that takes a while.
 */

// A terminal signals all processes at once; a worker stops when the primary orders it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.once('disconnect', () => process.exit(1));

await import('./worker.ts');
