/**
 * A page as it is kept in Redis: compressed, and encrypted where there is a key for it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { cursorPattern } from '../model/cursor.ts';
import { parseJson } from '../model/json.ts';
import { open, type SealingKey, seal } from '../storage/sealing.ts';
import { identityOf } from './compression.ts';
import { bodyOf, type PageBody, type PageContent, tagOf } from './page.ts';

export interface PageRecord {
  readonly body: PageBody;
  /** Identity of the page's first send, or an empty string. */
  readonly first: string;
}

/** Why a record is of no use. */
export type Unreadable = 'other-version' | 'unknown-key' | 'damaged';

/** Of the layout below; in the keys of pages too, so that two versions leave each other's alone. */
export const recordVersion = 4;
const plain = 0;
const sealed = 1;
const digestBytes = 16;

/** All that cannot be made again out of the content. */
const header = z.object({
  etag: z.string().regex(/^W\/"[\w-]{22}"$/),
  cursor: z.string().regex(cursorPattern).optional(),
  first: z.string(),
  identityBytes: z.int().positive(),
});

/** How records are encrypted, the key in use first; without any they are not. */
type Keys = readonly SealingKey[];

/** @param key under which it is kept: a record that is moved to another one cannot be read there */
export function writeRecord({ body, first }: PageRecord, key: string, keys: Keys): Buffer {
  const { etag, cursor, br, identityBytes } = body;
  const head = Buffer.from(JSON.stringify({ etag, cursor, first, identityBytes }));
  const headBytes = Buffer.alloc(4);
  headBytes.writeUInt32BE(head.length);
  const content = Buffer.concat([headBytes, head, br]);
  const [inUse] = keys;
  return inUse
    ? Buffer.concat([Buffer.of(recordVersion, sealed), seal(inUse, content, key)])
    : Buffer.concat([Buffer.of(recordVersion, plain), digest(content, key), content]);
}

/** What a page is made of, when it is made again out of its content. */
export interface Rebuilt extends PageContent {
  readonly first: string;
}

export interface ReadOptions {
  /** Bytes of the largest content that can be ours. */
  readonly maxIdentityBytes: number;
  /** A body that is held: where the record has the same, it is not unpacked again. */
  readonly known: PageBody | undefined;
  /** Makes the page again, out of its content and its cursor. @throws when the content is no page */
  readonly rebuild: (json: string, cursor: string | undefined) => Rebuilt;
}

/**
 * What a record holds, or why it is of no use. It is ours if the page that is made out of its content is this content, to the
 * letter: so no link, no date and no field is answered that we would not have written.
 */
export async function readRecord(
  record: Buffer,
  key: string,
  keys: Keys,
  { maxIdentityBytes, known, rebuild }: ReadOptions,
): Promise<PageRecord | Unreadable> {
  const content = unwrap(record, key, keys);
  if (typeof content === 'string') return content;
  try {
    const headEnd = 4 + content.readUInt32BE();
    const { etag, cursor, first, identityBytes } = header.parse(parseJson(content.subarray(4, headEnd).toString()));
    if (known?.etag === etag) return { body: known, first };
    if (identityBytes > maxIdentityBytes) return 'damaged';
    const br = content.subarray(headEnd);
    const identity = await identityOf({ br, identityBytes });
    const json = identity.toString();
    const page = rebuild(json, cursor);
    const isOurs = page.json === json && page.first === first && tagOf(json) === etag;
    if (!isOurs || identity.length !== identityBytes) return 'damaged';
    return { body: bodyOf(page, tagOf(json), br, identityBytes), first };
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
