/**
 * Cuts a stream of bytes into lines.
 */
const lineEnd = 0x0a;

/** Buffers chunks of any length and passes on whole lines. */
export function wholeLines(pass: (lines: Buffer) => void): (piece: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (piece) => {
    const all = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
    const end = all.lastIndexOf(lineEnd) + 1;
    if (end > 0) pass(all.subarray(0, end));
    rest = all.subarray(end);
  };
}
