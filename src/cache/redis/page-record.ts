/**
 * A page as it is stored in Redis: compressed, and encrypted where an encryption key is configured.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { cursorPattern } from '../../model/cursor.ts';
import { parseJson } from '../../model/json.ts';
import { open, type SealingKey, seal } from '../../storage/sealing.ts';
import { identityOf } from '../compression.ts';
import { bodyOf, type PageBody, type RenderedContent, tagOf } from '../page.ts';

export interface PageRecord {
  readonly body: PageBody;
  /** Identity of the page's first row, or an empty text. */
  readonly first: string;
}

/** Why a record cannot be used. */
export type Unreadable = 'other-version' | 'unknown-key' | 'damaged';

/** Of the layout below. It is part of the keys of pages, so that two versions never read each other's records. */
export const recordVersion = 4;
const plain = 0;
const sealed = 1;
const digestBytes = 16;

/** What cannot be derived from the content. */
const header = z.object({
  etag: z.string().regex(/^W\/"[\w-]{22}"$/),
  cursor: z.string().regex(cursorPattern).optional(),
  first: z.string(),
  identityBytes: z.int().positive(),
});

/** How records are encrypted, the key in use first; without any they are not. */
type Keys = readonly SealingKey[];

/** @param key under which it is stored: a record that is copied to another key cannot be read there */
export function writeRecord({ body, first }: PageRecord, key: string, keys: Keys): Buffer {
  const { etag, cursor, br, identityBytes } = body;
  const fields = Buffer.from(JSON.stringify({ etag, cursor, first, identityBytes }));
  const fieldsLength = Buffer.alloc(4);
  fieldsLength.writeUInt32BE(fields.length);
  const content = Buffer.concat([fieldsLength, fields, br]);
  const [inUse] = keys;
  return inUse
    ? Buffer.concat([Buffer.of(recordVersion, sealed), seal(inUse, content, key)])
    : Buffer.concat([Buffer.of(recordVersion, plain), digest(content, key), content]);
}

interface ReadOptions {
  /** Bytes of the largest content that can be ours. */
  readonly maxIdentityBytes: number;
  /** A body that is held: where the record has the same content, it is not decompressed again. */
  readonly known: PageBody | undefined;
  /** Renders the page again, from its content and its cursor. @throws when the content is not a page */
  readonly rebuild: (json: string, cursor: string | undefined) => RenderedContent;
}

/**
 * Reads a record, or says why it cannot be used. It is accepted only if rendering its rows again gives the same content, byte for
 * byte: no link, date or field is answered that Sendgate would not have written.
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
    const fieldsEnd = 4 + content.readUInt32BE();
    const { etag, cursor, first, identityBytes } = header.parse(parseJson(content.subarray(4, fieldsEnd).toString()));
    if (known?.etag === etag) return { body: known, first };
    if (identityBytes > maxIdentityBytes) return 'damaged';
    const br = content.subarray(fieldsEnd);
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

/** Returns the content in memory that is not part of the whole reply's. */
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
