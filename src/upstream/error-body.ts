/**
 * The bodies of errors: Constant Contact's own, and those of the gateways in front of it.
 */
import { z } from 'zod';
import { parseJson } from '../model/json.ts';

/** What a body says of an error; both undefined for HTML, XML or nothing: the status alone has to do. */
export interface ErrorBody {
  /**
   * Constant Contact's `error_key`. Errors come in an array, and on some of v3's paths as one bare object (vendor's
   * documentation). The first of an array is all that counts.
   */
  readonly key: string | undefined;
  /** The message of a gateway's JSON. */
  readonly message: string | undefined;
}

const failure = z.object({ error_key: z.string() });
/** Amazon's API Gateway spells it either way. */
const gateway = z
  .object({ message: z.string() })
  .or(z.object({ Message: z.string() }).transform(({ Message }) => ({ message: Message })));

export function readErrorBody(body: string): ErrorBody {
  let json: unknown;
  try {
    json = parseJson(body);
  } catch {
    return { key: undefined, message: undefined };
  }
  return {
    key: failure.safeParse(Array.isArray(json) ? json[0] : json).data?.error_key,
    message: gateway.safeParse(json).data?.message,
  };
}
