/**
 * Writes and reads pages as stored in Redis: compressed, and encrypted if a key is configured.
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
  /** Identity of the first row, or an empty string. */
  readonly first: string;
}

/** Why a record is rejected. */
export type Unreadable = 'other-version' | 'unknown-key' | 'damaged';

/** Version of the layout below. It is part of the page keys, so two versions never read each other's records. */
export const recordVersion = 4;
const plain = 0;
const sealed = 1;
const digestBytes = 16;

/** Fields that cannot be derived from the content. */
const header = z.object({
  etag: z.string().regex(/^W\/"[\w-]{22}"$/),
  cursor: z.string().regex(cursorPattern).optional(),
  first: z.string(),
  identityBytes: z.int().positive(),
});

/** Encryption keys, current one first; without any, records are plain. */
type Keys = readonly SealingKey[];

/** @param key that the record is stored under; copied to another key, it cannot be read */
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

/** A page rendered again from its content. */
export interface Rebuilt extends PageContent {
  readonly first: string;
}

export interface ReadOptions {
  /** Largest plausible content, in bytes. */
  readonly maxIdentityBytes: number;
  /** A cached body, reused without decompression if the record has the same content. */
  readonly known: PageBody | undefined;
  /** Renders the page again from its content and cursor. @throws if the content is not a page */
  readonly rebuild: (json: string, cursor: string | undefined) => Rebuilt;
}

/**
 * Reads a record, or returns why it is rejected. Accepts it only if rendering its rows again gives the same bytes: no link,
 * date or field is served that Sendgate would not have written.
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

/** Verifies a record and returns its content in a separate buffer, not a slice of the whole reply. */
function unwrap(record: Buffer, key: string, keys: Keys): Buffer | Unreadable {
  if (record[0] !== recordVersion) return 'other-version';
  const rest = record.subarray(2);
  if (record[1] === sealed) return open(keys, rest, key);
  // With a key configured, an unsealed record is not ours.
  if (record[1] !== plain || keys.length > 0) return 'other-version';
  const content = Buffer.from(rest.subarray(digestBytes));
  return digest(content, key).equals(rest.subarray(0, digestBytes)) ? content : 'damaged';
}

function digest(content: Buffer, key: string): Buffer {
  return createHash('sha256').update(key).update('\n').update(content).digest().subarray(0, digestBytes);
}
