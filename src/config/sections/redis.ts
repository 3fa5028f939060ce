/**
 * Settings of Redis; its address is a secret, `REDIS_URL`.
 */
import { z } from 'zod';
import { integer } from '../value-schemas.ts';

export const redis = z
  .strictObject({
    timeoutMs: integer(1, 10_000, 50, 'Time limit for Redis before carrying on without it'),
    keyPrefix: z
      .string()
      .regex(/^[\w:.-]{0,64}$/, 'up to 64 letters, digits and :._-')
      .default('sendgate:')
      .describe('Prefix of all keys in Redis; accounts that share a Redis need different ones'),
  })
  .prefault({});
