/**
 * Settings of exports.
 */
import { z } from 'zod';
import { integer, live } from '../value-schemas.ts';

export const exports = z
  .strictObject({
    patienceSeconds: integer(
      1,
      86_400,
      120,
      'Time to retry a page of an export, and time that any download may read under 240 bytes a second, before the connection is reset',
    ),
    perTeam: live(
      integer(
        1,
        1_000,
        4,
        'Concurrent exports of one team; with 2 or more, the last slot is reserved for another client',
      ),
    ),
  })
  .prefault({});
