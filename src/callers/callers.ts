/**
 * Who asks, and whether they may: identified, then admitted, once for each request, ahead of the fast path and of Express.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestContext } from '../http/request-context.ts';
import type { Caller } from './caller.ts';
import { Identification, type IdentifyParts } from './identify.ts';
import type { Decision, Limiter } from './rate-limit/limiter.ts';

/** A caller whose request was counted, and may be answered. */
export interface Admission {
  readonly caller: Caller;
  readonly decision: Decision;
}

export class Callers {
  readonly #identification: Identification;
  readonly #limiter: Limiter;

  constructor(parts: IdentifyParts) {
    this.#identification = new Identification(parts);
    this.#limiter = parts.limiter;
  }

  /** Takes foreign credentials off a request. Has to run first, so that nothing after it sees them. */
  receive(req: IncomingMessage): void {
    this.#identification.receive(req);
  }

  /**
   * Identifies and counts the caller of a request that has passed `receive`. Undefined for a preflight, which has been answered.
   * Adds to the response's header what it has to carry, also when the request is refused.
   *
   * @throws Problem `misdirected-request`, `origin-not-allowed`, `unauthorized` or `rate-limited`
   */
  admit(req: IncomingMessage, context: RequestContext): Admission | undefined {
    const caller = this.#identification.identify(req, context);
    if (!caller) return undefined;
    context.identify(caller.identity);
    const decision = this.#limiter.admit(caller.client, context);
    context.ownLines += decision.fields;
    return { caller, decision };
  }
}
