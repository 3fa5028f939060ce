/**
 * Settings of the log.
 */
import { z } from 'zod';

export const log = z
  .strictObject({
    level: z
      .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
      .default('info')
      .describe('Lowest level that is logged'),
  })
  .prefault({});
