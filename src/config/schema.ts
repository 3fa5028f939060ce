/**
 * All settings, by section: names, defaults, bounds and descriptions. `npm run generate` derives `config/default.json`,
 * `config/schema.json` and the table in `docs/operations.md` from them.
 */
import { z } from 'zod';
import { cache } from './sections/cache.ts';
import { callers, teams } from './sections/callers.ts';
import { constantContact } from './sections/constant-contact.ts';
import { exports } from './sections/exports.ts';
import { log } from './sections/log.ts';
import { quota } from './sections/quota.ts';
import { redis } from './sections/redis.ts';
import { management, server } from './sections/server.ts';
import { storage } from './sections/storage.ts';

export const schema = z.strictObject({
  server,
  management,
  callers,
  cache,
  constantContact,
  teams,
  quota,
  exports,
  storage,
  redis,
  log,
});

export type Config = z.output<typeof schema>;
