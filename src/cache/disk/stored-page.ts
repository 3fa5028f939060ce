/**
 * What the files hold: a page, a refusal, or the state of a walk.
 */
import { z } from 'zod';
import { cursorPattern } from '../../model/cursor.ts';
import { type Keys, type Unreadable, unwrap, wrap } from '../../storage/envelope.ts';
import type { WalkState } from '../generations.ts';
import { bodyOf, type PageBody } from '../page.ts';
import { etagSchema, frame, recordVersion, unframe } from '../page-record.ts';
import { refusalCode } from '../refusals.ts';

/** What every file begins with: whatever does not is foreign, or was torn by a power cut. */
const magic = Buffer.from('sendgate');

/** Of a body, what is not its content. `next` becomes a header. */
const bodyFields = z.object({
  etag: etagSchema,
  newestMs: z.int().optional(),
  next: z
    .string()
    .regex(/^[\x21-\x7e]+$/)
    .optional(),
  cursor: z.string().regex(cursorPattern).optional(),
  identityBytes: z.int().positive(),
});

/** Wall times in milliseconds. */
const times = {
  generation: z.int().nonnegative(),
  fetchedAt: z.int().nonnegative(),
  until: z.int().nonnegative(),
};
const page = z.object({ kind: z.literal('page'), ...times, body: bodyFields });
const refusal = z.object({ kind: z.literal('refusal'), ...times, code: refusalCode });
const fields = z.discriminatedUnion('kind', [page, refusal]);

export type StoredPage = Omit<z.output<typeof page>, 'body'> & { readonly body: PageBody };
export type Stored = StoredPage | z.output<typeof refusal>;

const walkState = z.object({
  generation: z.int().positive(),
  newest: z.string().optional(),
  firstPages: z.array(z.tuple([z.int().positive(), z.string()])).max(100),
});

/** @param context must be the same to read it */
export function writeStored(stored: Stored, context: string, keys: Keys): Buffer {
  if (stored.kind === 'refusal') return write(frame(stored, Buffer.alloc(0)), context, keys);
  const { lastModified, br, ...body } = stored.body;
  const newestMs = lastModified === undefined ? undefined : Date.parse(lastModified);
  return write(frame({ ...stored, body: { ...body, newestMs } }, br), context, keys);
}

/** A page is trusted as it is: it has its checksum or is sealed, and its directory is Sendgate's. */
export function readStored(file: Buffer, context: string, keys: Keys): Stored | Unreadable {
  const content = read(file, context, keys);
  if (typeof content === 'string') return content;
  try {
    const [json, br] = unframe(content);
    const stored = fields.parse(json);
    if (stored.kind === 'refusal') return stored;
    const { etag, newestMs, next, cursor, identityBytes } = stored.body;
    return { ...stored, body: bodyOf({ newestMs, next, cursor }, etag, br, identityBytes) };
  } catch {
    return 'damaged';
  }
}

export function writeWalk({ generation, newest, firstPages }: WalkState, context: string, keys: Keys): Buffer {
  return write(frame({ generation, newest, firstPages: [...firstPages] }, Buffer.alloc(0)), context, keys);
}

export function readWalk(file: Buffer, context: string, keys: Keys): Omit<WalkState, 'confirmedIn'> | Unreadable {
  const content = read(file, context, keys);
  if (typeof content === 'string') return content;
  try {
    const { generation, newest, firstPages } = walkState.parse(unframe(content)[0]);
    return { generation, newest, firstPages: new Map(firstPages) };
  } catch {
    return 'damaged';
  }
}

const write = (content: Buffer, context: string, keys: Keys) =>
  Buffer.concat([magic, wrap(content, recordVersion, context, keys)]);

function read(file: Buffer, context: string, keys: Keys): Buffer | Unreadable {
  if (!file.subarray(0, magic.length).equals(magic) || file.length === magic.length) return 'damaged';
  return unwrap(file.subarray(magic.length), recordVersion, context, keys);
}
