/**
 * Settings of the log.
 */
import { z } from 'zod';
import { live } from '../value-schemas.ts';

export const log = z
  .strictObject({
    level: live(
      z
        .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
        .default('info')
        .describe('Lowest level that is logged'),
    ),
  })
  .prefault({});
