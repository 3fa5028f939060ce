/**
 * A page as it is stored in Redis: compressed, and encrypted where an encryption key is configured.
 */
import { z } from 'zod';
import { cursorPattern } from '../model/cursor.ts';
import { parseJson } from '../model/json.ts';
import { type Keys, type Unreadable, unwrap, wrap } from '../storage/envelope.ts';
import { identityOf } from './compression.ts';
import { bodyOf, type PageBody, type RenderedContent, tagOf } from './page.ts';

export interface PageRecord {
  readonly body: PageBody;
  /** Identity of the page's first row, or an empty text. */
  readonly first: string;
  /** Generation of its walk. */
  readonly generation: number;
  /** Wall times in milliseconds. */
  readonly fetchedAt: number;
  readonly freshUntil: number;
}

/** Of what is stored, and of how pages are rendered. It is part of the keys of pages in Redis, so that two versions never read each other's records. */
export const recordVersion = 5;

export const etagSchema = z.string().regex(/^W\/"[\w-]{22}"$/);

/** What cannot be derived from the content. */
const header = z.object({
  etag: etagSchema,
  cursor: z.string().regex(cursorPattern).optional(),
  first: z.string(),
  identityBytes: z.int().positive(),
  generation: z.int().nonnegative(),
  fetchedAt: z.int().nonnegative(),
  freshUntil: z.int().nonnegative(),
});

/** @param key under which it is stored: a record that is copied to another key cannot be read there */
export function writeRecord({ body, ...about }: PageRecord, key: string, keys: Keys): Buffer {
  const { etag, cursor, br, identityBytes } = body;
  return wrap(frame({ etag, cursor, identityBytes, ...about }, br), recordVersion, key, keys);
}

export interface ReadOptions {
  /** Bytes of the largest content that can be ours. */
  readonly maxIdentityBytes: number;
  /** A body that is held: where the record has the same content, it is not decompressed again. */
  readonly known: PageBody | undefined;
  /** Renders the page again, from its content and its cursor. @throws when the content is not a page */
  readonly rebuild: (json: string, cursor: string | undefined) => RenderedContent;
}

/**
 * Reads a record, or says why it cannot be used. A page is accepted only if rendering its rows again gives the same content, byte for
 * byte: no link, date or field is answered that Sendgate would not have written.
 */
export async function readRecord(
  record: Buffer,
  key: string,
  keys: Keys,
  { maxIdentityBytes, known, rebuild }: ReadOptions,
): Promise<PageRecord | Unreadable> {
  const content = unwrap(record, recordVersion, key, keys);
  if (typeof content === 'string') return content;
  try {
    const [fields, br] = unframe(content);
    const { etag, cursor, identityBytes, ...about } = header.parse(fields);
    if (known?.etag === etag) return { body: known, ...about };
    if (identityBytes > maxIdentityBytes) return 'damaged';
    const identity = await identityOf({ br, identityBytes });
    const json = identity.toString();
    const page = rebuild(json, cursor);
    const isOurs = page.json === json && page.first === about.first && tagOf(json) === etag;
    if (!isOurs || identity.length !== identityBytes) return 'damaged';
    return { body: bodyOf(page, tagOf(json), br, identityBytes), ...about };
  } catch {
    return 'damaged';
  }
}

/** Joins fields and what follows them. */
export function frame(fields: object, rest: Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(fields));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json, rest]);
}

/** Takes apart what `frame` has joined. @throws when it cannot */
export function unframe(content: Buffer): readonly [fields: unknown, rest: Buffer] {
  const end = 4 + content.readUInt32BE();
  return [parseJson(content.subarray(4, end).toString()), content.subarray(end)];
}
