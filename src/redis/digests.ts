/**
 * Digests that leave the process. Keyed wherever there is a key, so that a reader cannot confirm a guess: not an
 * address behind an ETag, not a client behind the name of its count.
 */
import { createHash, createHmac, hkdfSync } from 'node:crypto';

/** A digest of a text, in base64url with 32 characters; `use` keeps those of one kind apart from those of another. */
export type Digest = (use: string, text: string) => string;

/**
 * @param key the secret that the instances have in common, asked for each time since it can be replaced; undefined where
 * there is none, and what is digested stands beside it in plain text
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
