/**
 * Wraps what leaves the process: encrypted where keys are configured, else with a checksum.
 */
import { createHash } from 'node:crypto';
import { open, type SealingKey, seal } from './sealing.ts';

/** Why stored content cannot be used. */
export type Unreadable = 'other-version' | 'unknown-key' | 'damaged';

/** The keys that encrypt: the first one does, all decrypt. None: no encryption. */
export type Keys = readonly SealingKey[];

const plain = 0;
const sealed = 1;
const digestBytes = 16;

/**
 * @param version of the content's layout, from 1 to 255
 * @param context must be the same to unwrap it: content that is moved elsewhere cannot be read there
 */
export function wrap(content: Buffer, version: number, context: string, keys: Keys): Buffer {
  const [inUse] = keys;
  return inUse
    ? Buffer.concat([Buffer.of(version, sealed), seal(inUse, content, context)])
    : Buffer.concat([Buffer.of(version, plain), digest(content, context), content]);
}

/** Returns a copy of the content, or why it cannot be used. */
export function unwrap(wrapped: Buffer, version: number, context: string, keys: Keys): Buffer | Unreadable {
  if (wrapped[0] !== version) return 'other-version';
  const rest = wrapped.subarray(2);
  if (wrapped[1] === sealed) return open(keys, rest, context);
  // Where there is a key, what was not sealed with one is nothing that we have written.
  if (wrapped[1] !== plain || keys.length > 0) return 'other-version';
  const content = Buffer.from(rest.subarray(digestBytes));
  return digest(content, context).equals(rest.subarray(0, digestBytes)) ? content : 'damaged';
}

function digest(content: Buffer, context: string): Buffer {
  return createHash('sha256').update(context).update('\n').update(content).digest().subarray(0, digestBytes);
}
