/**
 * Settings of what survives a restart on one machine.
 */
import { z } from 'zod';
import { integer, mebibyte, optionalFile } from '../value-schemas.ts';

export const storage = z
  .strictObject({
    directory: optionalFile(
      "Directory that keeps pages, the day's count and, with v3, resolved campaign ids across restarts; empty: nothing is kept",
    ),
    maxBytes: integer(
      16 * mebibyte,
      1024 ** 5,
      1024 * mebibyte,
      'Disk space for pages in `storage.directory`, in bytes',
    ),
  })
  .prefault({});
