/**
 * Cursors of the directory with v3: Sendgate cuts its pages from Constant Contact's of 500.
 */
import { queryOfCursor } from '../model/cursor.ts';

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
const maxLimit = 500;

export const writePlace = ({ number, offset, limit, block = '' }: DirectoryPlace): string =>
  [number, offset, limit, block].join('.');

const pattern = /^(?<number>\d{1,3})\.(?<offset>\d{1,6})\.(?<limit>\d{1,3})\.(?<block>.*)$/;

/** Reads a cursor in its only spelling; undefined if `writePlace` could not have made it. */
export function readPlace(cursor: string): DirectoryPlace | undefined {
  const parts = pattern.exec(cursor)?.groups;
  if (!parts) return undefined;
  const [number, offset, limit] = [Number(parts['number']), Number(parts['offset']), Number(parts['limit'])];
  const block = parts['block'] || undefined;
  const place = { number, offset, limit, block };
  const isInBounds = number <= maxBlocks && limit >= 1 && limit <= maxLimit;
  const isOurs = writePlace(place) === cursor && (block === undefined) === (number === 0);
  const isTheirs = block === undefined || queryOfCursor(block) !== undefined;
  return isInBounds && isOurs && isTheirs ? place : undefined;
}
