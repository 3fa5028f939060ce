/**
 * Settings of exports.
 */
import { z } from 'zod';
import { integer } from '../value-schemas.ts';

export const exports = z
  .strictObject({
    patienceSeconds: integer(
      1,
      86_400,
      120,
      'How long an export retries a page, and any download may read less than 240 bytes a second, before its connection is reset',
    ),
    perTeam: integer(1, 1_000, 4, 'Exports of one team at a time; from 2 on, the last one is kept for another client'),
  })
  .prefault({});
