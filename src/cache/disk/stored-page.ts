/**
 * What the files hold: a page, a refusal, or the state of a walk.
 */
import { z } from 'zod';
import { type Keys, type Unreadable, unwrap, wrap } from '../../storage/envelope.ts';
import type { WalkState } from '../generations.ts';
import {
  frame,
  type PageRecord,
  type ReadOptions,
  readPage,
  recordVersion,
  unframe,
  writePage,
} from '../page-record.ts';
import { refusalCode } from '../refusals.ts';

/** What every file begins with: whatever does not is foreign, or was torn by a power cut. */
const magic = Buffer.from('sendgate');

/** Wall times in milliseconds. */
const times = {
  generation: z.int().nonnegative(),
  fetchedAt: z.int().nonnegative(),
  until: z.int().nonnegative(),
};
const header = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('page'), ...times }),
  z.object({ kind: z.literal('refusal'), ...times, code: refusalCode }),
]);
export type StoredHeader = z.output<typeof header>;

const walkState = z.object({
  generation: z.int().positive(),
  newest: z.string().optional(),
  firstPages: z.array(z.tuple([z.int().positive(), z.string()])).max(100),
});

export interface Stored {
  readonly header: StoredHeader;
  /** Reads the page behind the header. */
  readonly page: (options: ReadOptions) => Promise<PageRecord | 'damaged'>;
}

/** @param context must be the same to read it */
export function writeStored(stored: StoredHeader, page: PageRecord | undefined, context: string, keys: Keys): Buffer {
  return write(frame(stored, page ? writePage(page) : Buffer.alloc(0)), context, keys);
}

export function readStored(file: Buffer, context: string, keys: Keys): Stored | Unreadable {
  const content = read(file, context, keys);
  if (typeof content === 'string') return content;
  try {
    const [fields, rest] = unframe(content);
    return { header: header.parse(fields), page: (options) => readPage(rest, options) };
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
