/**
 * helmet's headers. They are the same on every answer of a kind, so they are made once.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';
import { headerLines } from './header-block.ts';

/** Nothing that an API answers is a document: no script, no style, no frame. */
const forAnApi = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] };

/**
 * What decides for all that is under the host, or its origin, is left to the proxy that ends TLS there: other programs
 * may live beside `server.basePath`, and over plain HTTP a browser heeds neither (RFC 6797 §8.1; HTML, "Origin-keyed agent clusters").
 */
const notForTheWholeHost = { strictTransportSecurity: false, originAgentCluster: false } as const;

/**
 * What helmet sets on an answer, as lines of its head.
 *
 * @param directives of the Content-Security-Policy; a policy fit for an API without them
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
