/**
 * Digests for values that leave the process. Keyed if a secret exists, so that a reader cannot confirm a guess: the address
 * behind an ETag, or the client behind a counter's name.
 */
import { createHash, createHmac, hkdfSync } from 'node:crypto';

/** Digests a text to 32 base64url characters. `use` separates one purpose from another. */
export type Digest = (use: string, text: string) => string;

/**
 * @param key returns the secret that instances share; called each time, since the secret can be replaced. Undefined without
 * one: then the digested value is stored beside the digest in plain text anyway
 */
export function digestWith(key: () => Buffer | string | undefined): Digest {
  let last: Buffer | string | undefined;
  let derived = Buffer.alloc(0);
  return (use, text) => {
    const secret = key();
    if (secret === undefined) return createHash('sha256').update(text).digest('base64url').slice(0, 32);
    if (secret !== last) {
      derived = Buffer.from(hkdfSync('sha256', secret, '', 'sendgate digests', 32));
      last = secret;
    }
    return createHmac('sha256', derived).update(`${use}\n${text}`).digest('base64url').slice(0, 32);
  };
}
