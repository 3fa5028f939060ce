/**
 * Settings of the page cache.
 */
import { z } from 'zod';
import { integer, live, mebibyte, optionalFile } from '../value-schemas.ts';

export const cache = z
  .strictObject({
    maxBytes: live(
      integer(mebibyte, 1024 ** 4, 256 * mebibyte, 'Memory for cached pages and prepared responses, in bytes'),
    ),
    minFreshSeconds: live(
      integer(
        1,
        86_400,
        60,
        'Minimum time that a page stays fresh; also the minimum interval between two calls for one page',
      ),
    ),
    maxFreshSeconds: live(integer(1, 31_536_000, 86_400, 'Maximum time that a page stays fresh')),
    staleIfErrorSeconds: live(
      integer(0, 31_536_000, 604_800, 'How long a stale page is still served while Constant Contact fails'),
    ),
    readAheadPages: live(
      integer(0, 10, 1, 'Later pages prefetched while a caller follows `next_link`; 0 turns it off'),
    ),
    notFoundSeconds: live(
      integer(1, 86_400, 60, 'Time before an unknown campaign, an invalid cursor or a failing page is requested again'),
    ),
    encryptionKeyFile: optionalFile(
      'File of keys that encrypt pages in Redis and in storage, one per line; the first encrypts, all decrypt. Empty: no encryption',
    ),
  })
  .prefault({});
