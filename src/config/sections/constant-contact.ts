/**
 * Settings of the calls to Constant Contact.
 */
import { z } from 'zod';
import { isBaseUrl, isTokenUrl } from '../addresses.ts';
import { integer, mebibyte, optionalFile } from '../value-schemas.ts';

/** Origin of each API version (Constant Contact's documentation). */
export const baseUrls = { v2: 'https://api.constantcontact.com', v3: 'https://api.cc.email' } as const;

export const constantContact = z
  .strictObject({
    api: z.enum(['v2', 'v3']).default('v2').describe('API version: `v2` or `v3`'),
    baseUrl: z
      .string()
      .max(500)
      .refine(
        (text) => text === '' || isBaseUrl(text),
        'an https: URL without path, query and credentials; http: for loopback only',
      )
      .default('')
      .describe(`Origin of the API; empty: \`${baseUrls.v2}\` for v2, \`${baseUrls.v3}\` for v3`),
    oauth: z
      .strictObject({
        tokenUrl: z
          .string()
          .max(500)
          .refine(isTokenUrl, 'an https: URL without query and credentials; http: for loopback only')
          .default('https://authz.constantcontact.com/oauth2/default/v1/token')
          .describe('v3: endpoint that refreshes tokens'),
        tokenFile: optionalFile('v3, required: file that stores the tokens, on a volume'),
      })
      .prefault({}),
    timeoutMs: integer(10, 300_000, 10_000, 'Time limit for one call'),
    deadlineMs: integer(10, 600_000, 20_000, 'Time limit for queueing, calling and retrying combined'),
    retries: integer(0, 5, 2, 'Retries of a call that failed with a transient error'),
    retryPercent: integer(
      0,
      100,
      10,
      'Retries per hundred calls, beyond the first ten; one client can use half of them',
    ),
    breakerFailures: integer(
      1,
      10_000,
      10,
      'Consecutive failed calls before a probe decides whether the circuit opens',
    ),
    breakerProbeMs: integer(
      10,
      600_000,
      5_000,
      'Minimum interval between probes that check whether Constant Contact is up',
    ),
    maxResponseBytes: integer(1024, 1024 ** 3, 8 * mebibyte, 'Largest response accepted, in bytes after decompression'),
    credentialsRetrySeconds: integer(
      1,
      86_400,
      60,
      'Minimum interval between probes that check whether the credentials are accepted',
    ),
  })
  .prefault({});

/** The origins that are called: the API, and for v3 the server that refreshes tokens. */
export function serversCalled({ api, baseUrl, oauth }: z.output<typeof constantContact>): readonly string[] {
  return [baseUrl || baseUrls[api], ...(api === 'v3' ? [new URL(oauth.tokenUrl).origin] : [])];
}
