/**
 * What a run promises. One that broke a promise says which, and exits with 1.
 */
export const short = process.argv.includes('--short');

const broken: string[] = [];

/** A promise that every machine keeps: about contents, counts, bytes. */
export function promise(isKept: boolean, what: string): void {
  if (!isKept) broken.push(what);
}

/** A promise about time. A short run on a machine that others use shows nothing about it, so only a long one is judged by it. */
export function promiseOfSpeed(isKept: boolean, what: string): void {
  if (!short) promise(isKept, what);
}

process.once('exit', () => {
  for (const what of broken) process.stderr.write(`FAILED ${what}\n`);
  if (broken.length > 0) process.exitCode = 1;
});
