/**
 * helmet's headers, with a policy fit for an API. They are the same on every answer, so they are made once.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';

/** What helmet sets on an answer, names and values in turn. */
export function securityHeaders(): readonly string[] {
  const sample = new ServerResponse(new IncomingMessage(new Socket()));
  helmet({
    // Nothing that comes from here is a document: no script, no style, no frame.
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  })(sample.req, sample, () => {});
  return Object.entries(sample.getHeaders()).flatMap(([name, value]) => [name, String(value)]);
}
