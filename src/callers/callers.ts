/**
 * Identifies and admits the caller of each request once, ahead of the fast path and Express.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestContext } from '../http/request-context.ts';
import type { Caller } from './caller.ts';
import { type CallerRules, Identification, type IdentifyParts } from './identify.ts';
import type { Decision, Limiter } from './rate-limit/limiter.ts';

/** An admitted caller, with the rate limit's decision. */
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

  /** Replaces the rules. Counts of requests stay. */
  set rules(rules: CallerRules) {
    this.#identification.rules = rules;
  }

  /** Strips credentials for Constant Contact from a request. Must run first, so that nothing else sees them. */
  receive(req: IncomingMessage): void {
    this.#identification.receive(req);
  }

  /**
   * Identifies and counts the caller of a request, after `receive`. Returns undefined for a preflight, which it answers. Adds
   * header lines to the response, refused or not.
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
