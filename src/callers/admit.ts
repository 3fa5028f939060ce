/**
 * Whether a caller may ask once more.
 */
import type { RequestContext } from '../http/request-context.ts';
import type { Client } from './rate-limit/client-key.ts';
import type { Decision, Limiter } from './rate-limit/limiter.ts';

/**
 * Counts a request of a client. The `RateLimit` fields are for the response; a refusal has them already.
 *
 * @throws Problem `rate-limited` when it is one too many; it is not counted then
 */
export function admit(limiter: Limiter, client: Client, exchange: RequestContext): Decision {
  const decision = limiter.decide(client);
  if (!decision.refusal) return decision;
  exchange.head += decision.fields;
  throw decision.refusal;
}
