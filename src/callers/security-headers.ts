/**
 * helmet's headers. They are the same on every answer of a kind, so they are made once.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';

/** Nothing that an API answers is a document: no script, no style, no frame. */
const forAnApi = { defaultSrc: ["'none'"], frameAncestors: ["'none'"] };

/**
 * What helmet sets on an answer, names and values in turn.
 *
 * @param directives of the Content-Security-Policy; a policy fit for an API without them
 */
export function securityHeaders(directives: Readonly<Record<string, string[]>> = forAnApi): readonly string[] {
  const sample = new ServerResponse(new IncomingMessage(new Socket()));
  helmet({ contentSecurityPolicy: { useDefaults: false, directives } })(sample.req, sample, () => {});
  return Object.entries(sample.getHeaders()).flatMap(([name, value]) => [name, String(value)]);
}
