/**
 * helmet's headers, with a policy fit for an API. They are the same on every answer, so they are made once.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import helmet from 'helmet';

type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;

/** Sets on every answer what helmet has set on one. */
export function securityHeaders(): Middleware {
  const sample = new ServerResponse(new IncomingMessage(new Socket()));
  helmet({
    // Nothing that comes from here is a document: no script, no style, no frame.
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  })(sample.req, sample, () => {});
  const headers = Object.entries(sample.getHeaders()).map(([name, value]) => [name, String(value)] as const);

  return (_req, res, next) => {
    for (const [name, value] of headers) res.setHeader(name, value);
    next();
  };
}
