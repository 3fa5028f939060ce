/**
 * Admits or refuses a request by the rate limit.
 */
import type { RequestContext } from '../http/request-context.ts';
import type { Client } from './rate-limit/client-key.ts';
import type { Decision, Limiter } from './rate-limit/limiter.ts';

/**
 * Counts a request of a client. The caller adds `fields` to the response; a refusal already has them.
 *
 * @throws Problem `rate-limited` over the limit; a refused request is not counted
 */
export function admit(limiter: Limiter, client: Client, exchange: RequestContext): Decision {
  const decision = limiter.decide(client);
  if (!decision.refusal) return decision;
  exchange.head += decision.fields;
  throw decision.refusal;
}
