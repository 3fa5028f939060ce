/**
 * helmet's headers, built once, since they are the same in every response of a kind.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';
import { headerLines } from './header-block.ts';

/** Policy of API responses, which are never documents: no scripts, styles or frames. */
const forAnApi = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] };

/**
 * Leaves headers that affect the whole host or origin to the proxy that terminates TLS: other programs may live beside
 * `server.basePath`, and browsers ignore both over plain HTTP (RFC 6797 §8.1; HTML, "Origin-keyed agent clusters").
 */
const notForTheWholeHost = { strictTransportSecurity: false, originAgentCluster: false } as const;

/**
 * Returns the headers that helmet sets, as lines.
 *
 * @param directives of the Content-Security-Policy; by default those of an API
 */
export function securityHeaders(directives: Readonly<Record<string, string[]>> = forAnApi): string {
  const sample = new ServerResponse(new IncomingMessage(new Socket()));
  helmet({ contentSecurityPolicy: { useDefaults: false, directives }, ...notForTheWholeHost })(
    sample.req,
    sample,
    () => {},
  );
  return headerLines(...Object.entries(sample.getHeaders()).flatMap(([name, value]) => [name, String(value)]));
}
