/**
 * Cursors of the directory with v3: Sendgate cuts its pages from Constant Contact's of 500.
 */
import { z } from 'zod';
import { cursorPattern, queryOfCursor } from '../model/cursor.ts';

/** Where a page begins. */
export interface DirectoryPlace {
  /** Cursor of Constant Contact's page; undefined for its first. */
  readonly block: string | undefined;
  /** Number of that page, from 0. */
  readonly number: number;
  /** Rows of it that are on earlier pages. */
  readonly offset: number;
  /** Rows a page. */
  readonly limit: number;
}

/** Most pages of Constant Contact's: 50,000 campaigns. */
export const maxBlocks = 100;

const place = z.tuple([
  z.int().min(0).max(maxBlocks),
  z.int().min(0).max(500),
  z.int().min(1).max(500),
  z.string().regex(cursorPattern).optional(),
]);

export function writePlace({ number, offset, limit, block }: DirectoryPlace): string {
  const parts = [number, offset, limit, ...(block === undefined ? [] : [block])];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** Reads a cursor in its only spelling; undefined if `writePlace` could not have made it. */
export function readPlace(cursor: string): DirectoryPlace | undefined {
  const { data, success } = place.safeParse(parsed(Buffer.from(cursor, 'base64url').toString('latin1')));
  if (!success) return undefined;
  const [number, offset, limit, block] = data;
  const found = { number, offset, limit, block };
  const isOurs = writePlace(found) === cursor && (block === undefined) === (number === 0);
  return isOurs && (block === undefined || queryOfCursor(block) !== undefined) ? found : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
