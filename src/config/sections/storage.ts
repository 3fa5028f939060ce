/**
 * Settings of what survives a restart on one machine.
 */
import { parse, resolve } from 'node:path';
import { z } from 'zod';
import { filePath, integer, mebibyte, optionalFile } from '../value-schemas.ts';

const isRoot = (path: string) => path !== '' && resolve(path) === parse(resolve(path)).root;

export const storage = z
  .strictObject({
    directory: optionalFile(
      "Directory that keeps pages, the day's count and, with v3, resolved campaign ids across restarts; empty: nothing is kept",
      filePath.refine((path) => !isRoot(path), 'a directory for Sendgate alone, not /'),
    ),
    maxBytes: integer(
      16 * mebibyte,
      1024 ** 5,
      1024 * mebibyte,
      'Disk space for pages in `storage.directory`, in bytes',
    ),
  })
  .prefault({});
