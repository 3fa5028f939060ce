/**
 * Settings of the listeners: the callers' and the operators'.
 */
import { z } from 'zod';
import { isProxyRange } from '../addresses.ts';
import { integer, listenHost, live, port } from '../value-schemas.ts';

const hostName = z
  .string()
  .regex(/^(\[[0-9a-f:]+\]|[a-z0-9.-]+)$/i, 'a host name or address without scheme and port, IPv6 in brackets');

const proxy = z
  .string()
  .refine((text) => isProxyRange(text), 'an address, a CIDR range, or one of loopback, linklocal, uniquelocal');

export const server = z
  .strictObject({
    host: listenHost('Address to listen on'),
    port: port(8080, 'Port to listen on; 0 picks a free one'),
    allowedHosts: live(
      z
        .array(hostName)
        .max(100)
        .default([])
        .describe('Host names that callers may use, besides loopback names; required unless `server.host` is loopback'),
    ),
    basePath: z
      .string()
      .regex(/^(\/(?!\.{1,2}(\/|$))[\w.~-]+)*$/, 'empty, or segments like /ctct, without a slash at the end')
      .max(200)
      .default('')
      .describe('Prefix of all paths and links, e.g. `/ctct`'),
    trustProxy: z
      .array(proxy)
      .max(100)
      .default([])
      .describe(
        'Proxies trusted to set `X-Forwarded-For`: addresses, CIDR ranges, `loopback`, `linklocal`, `uniquelocal`',
      ),
    workers: integer(
      1,
      64,
      1,
      'Processes that answer callers. With 2 or more, another process holds the cache and calls Constant Contact',
    ),
    dropInV2: z
      .boolean()
      .default(false)
      .describe("Serve Constant Contact v2's own paths too, for programs written for v2"),
    headersTimeoutMs: integer(100, 600_000, 10_000, 'Time limit for the headers of a request to arrive'),
    requestTimeoutMs: integer(100, 600_000, 30_000, 'Time limit for a whole request to arrive'),
    keepAliveTimeoutMs: integer(
      100,
      3_600_000,
      75_000,
      'Idle time before a connection is closed; set it longer than the idle timeout of a load balancer in front',
    ),
    drainTimeoutMs: integer(0, 600_000, 9_000, 'Time for requests in flight to finish after SIGTERM'),
    maxConnections: integer(
      1,
      1_000_000,
      10_000,
      'Open connections; one address (IPv6 /56) can hold a quarter of them, unless it is a trusted proxy',
    ),
  })
  .prefault({});

export const management = z
  .strictObject({
    host: listenHost('Address of the management listener'),
    port: port(8081, 'Port of the management listener'),
  })
  .prefault({});
