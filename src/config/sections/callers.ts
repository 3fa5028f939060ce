/**
 * Settings of callers: limits, web origins and teams.
 */
import { z } from 'zod';
import { isNetwork, isOrigin } from '../addresses.ts';
import { integer, live } from '../value-schemas.ts';

const origin = z
  .string()
  .refine((text) => isOrigin(text), 'an exact origin: scheme, host and port, without a path, and no *');

export const callers = z
  .strictObject({
    requestsPerMinute: live(
      integer(1, 1_000_000_000, 300, 'Requests per minute from one client (IPv4 address or IPv6 /56); more get 429'),
    ),
    required: live(z.boolean().default(false).describe('Reject callers that match no team (401)')),
    cors: z
      .strictObject({
        origins: live(
          z
            .array(origin)
            .max(100)
            .default([])
            .describe('Exact origins of web pages that may call Sendgate, e.g. `https://dashboards.example.com`'),
        ),
      })
      .prefault({}),
    maxClients: integer(
      100,
      10_000_000,
      50_000,
      'Clients tracked by the rate limit; beyond that, the least recently seen is evicted',
    ),
  })
  .prefault({});

export const teamName = z
  .string()
  .regex(/^[a-z0-9][\w-]{0,31}$/i, '1 to 32 letters, digits, - and _')
  .refine((name) => name !== 'default', 'any name but default');

const team = z.strictObject({
  name: teamName,
  weight: z.number().min(0.01).max(1000).default(1),
  requestsPerMinute: z.int().min(1).max(1_000_000_000).optional(),
  callsPerDay: z.int().min(1).max(100_000_000).optional(),
  networks: z
    .array(z.string().refine((text) => isNetwork(text), 'an address or a CIDR range'))
    .max(1000)
    .default([]),
  header: z
    .strictObject({
      name: z.string().regex(/^[\w-]{1,64}$/, '1 to 64 letters, digits, - and _'),
      value: z.string().min(1).max(256),
    })
    .optional(),
  tokensSha256: z
    .array(z.string().regex(/^[0-9a-f]{64}$/i, 'a SHA-256 digest of a token: 64 hex digits'))
    .max(100)
    .default([]),
});

export const teams = live(
  z
    .array(team)
    .max(100)
    .default([])
    .describe(
      'Teams that share the quota: `[{"name", "weight", "requestsPerMinute", "callsPerDay", "networks", "header", "tokensSha256"}]`, as JSON in the environment; a caller belongs to the first matching team',
    ),
);
