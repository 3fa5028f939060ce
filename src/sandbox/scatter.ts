/**
 * Scatters numbers: rows differ and are irregular, so that pages compress like real ones, and are the same on every run.
 */

/** Maps 32-bit numbers one to one. */
export function scatter(n: number): number {
  let x = (n + 0x9e3779b9) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
}
