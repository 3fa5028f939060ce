/**
 * Parses error bodies: Constant Contact's own, and those of the gateways in front of it.
 */
import { z } from 'zod';
import { parseJson } from '../model/json.ts';

/** Content of an error body. Both undefined for HTML, XML or an empty body: only the status counts then. */
export interface ErrorBody {
  /**
   * Constant Contact's `error_key`. Errors come in an array, and on some v3 paths as one bare object (vendor's
   * documentation). Only the first of an array counts.
   */
  readonly key: string | undefined;
  /** Message in a gateway's JSON. */
  readonly message: string | undefined;
}

const failure = z.object({ error_key: z.string() });
/** Amazon's API Gateway uses both spellings. */
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
