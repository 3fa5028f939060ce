/**
 * A page as it is kept in Redis: compressed, and encrypted where there is a key for it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { open, type SealingKey, seal } from '../redis/sealing.ts';
import type { PageBody } from './page.ts';

export interface PageRecord {
  readonly body: PageBody;
  /** Identity of the page's first send, or an empty string. */
  readonly first: string;
}

/** Why a record is of no use. */
export type Unreadable = 'other-version' | 'unknown-key' | 'damaged';

/** Of the layout below; in the keys of pages too, so that two versions leave each other's alone. */
export const recordVersion = 2;
const plain = 0;
const sealed = 1;
const digestBytes = 16;
/** Far above what the upstream may answer with: no record may make us inflate more. */
const maxIdentityBytes = 64 * 1024 * 1024;

const header = z.object({
  etag: z.string().regex(/^W\/"[\w-]{22}"$/),
  lastModified: z.string().optional(),
  next: z.string().optional(),
  cursor: z.string().optional(),
  first: z.string(),
  identityBytes: z.int().min(64).max(maxIdentityBytes),
});

/** How records are encrypted, the key in use first; without any they are not. */
type Keys = readonly SealingKey[];

/** @param key under which it is kept: a record that is moved to another one cannot be read there */
export function writeRecord({ body, first }: PageRecord, key: string, keys: Keys): Buffer {
  const { etag, lastModified, next, cursor, br, identityBytes } = body;
  const head = Buffer.from(JSON.stringify({ etag, lastModified, next, cursor, first, identityBytes }));
  const headBytes = Buffer.alloc(4);
  headBytes.writeUInt32BE(head.length);
  const content = Buffer.concat([headBytes, head, br]);
  const [inUse] = keys;
  return inUse
    ? Buffer.concat([Buffer.of(recordVersion, sealed), seal(inUse, content, key)])
    : Buffer.concat([Buffer.of(recordVersion, plain), digest(content, key), content]);
}

/**
 * What a record holds, or why it is of no use.
 *
 * @param known a body that is held: where the record has the same, it is not unpacked again
 */
export function readRecord(
  record: Buffer,
  key: string,
  keys: Keys,
  known: PageBody | undefined,
): PageRecord | Unreadable {
  const content = unwrap(record, key, keys);
  if (typeof content === 'string') return content;
  try {
    const headEnd = 4 + content.readUInt32BE();
    const { first, ...head } = header.parse(JSON.parse(content.subarray(4, headEnd).toString()));
    if (known?.etag === head.etag) return { body: known, first };
    const { etag, lastModified, next, cursor, identityBytes } = head;
    return { body: { etag, lastModified, next, cursor, br: content.subarray(headEnd), identityBytes }, first };
  } catch {
    return 'damaged';
  }
}

/** The content, in memory of its own: a reply's belongs to whatever else came with it. */
function unwrap(record: Buffer, key: string, keys: Keys): Buffer | Unreadable {
  if (record[0] !== recordVersion) return 'other-version';
  const rest = record.subarray(2);
  if (record[1] === sealed) return open(keys, rest, key);
  // Where there is a key, what was not sealed with one is nothing that we have written.
  if (record[1] !== plain || keys.length > 0) return 'other-version';
  const content = Buffer.from(rest.subarray(digestBytes));
  return digest(content, key).equals(rest.subarray(0, digestBytes)) ? content : 'damaged';
}

function digest(content: Buffer, key: string): Buffer {
  return createHash('sha256').update(key).update('\n').update(content).digest().subarray(0, digestBytes);
}
