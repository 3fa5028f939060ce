/**
 * Settings of the page cache.
 */
import { z } from 'zod';
import { integer, mebibyte, optionalFile } from '../value-schemas.ts';

export const cache = z
  .strictObject({
    maxBytes: integer(mebibyte, 1024 ** 4, 256 * mebibyte, 'Memory for cached pages and prepared responses, in bytes'),
    minFreshSeconds: integer(
      1,
      86_400,
      60,
      'Shortest time that a page stays fresh; also the shortest time between two calls for one page',
    ),
    maxFreshSeconds: integer(1, 31_536_000, 86_400, 'Longest time that a page stays fresh'),
    staleIfErrorSeconds: integer(
      0,
      31_536_000,
      604_800,
      'How long after its freshness a page is still served while Constant Contact fails',
    ),
    readAheadPages: integer(0, 10, 1, 'Pages fetched ahead of a caller who follows `next_link`; 0 turns it off'),
    notFoundSeconds: integer(
      1,
      86_400,
      60,
      'How long an unknown campaign or cursor, or a page that alone fails, is not requested again',
    ),
    encryptionKeyFile: optionalFile(
      'File of keys that encrypt pages in Redis, one a line, the first in use; empty: pages are not encrypted',
    ),
  })
  .prefault({});
